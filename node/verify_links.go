package node

import (
	"context"
	"fmt"
	"strings"
)

// linked is a stream of the index of categories and types.
type linked struct {
	name  string
	sum   uint64 // of the name
	count uint64 // of its links, as its head says
	seen  uint64
	last  uint64 // position
}

// checkLinks reads the index of categories and types, as far as it has come.
// Links to what was scavenged stay.
func (c *checker) checkLinks(ctx context.Context) error {
	streams, err := c.linkHeads(ctx)
	if err != nil || len(streams) == 0 {
		return err
	}
	err = c.walk(ctx, []byte{linkPrefix}, []byte{linkPrefix + 1}, func(key, value []byte) {
		id, revision, err := parseLinkKey(key)
		position, valueErr := parsePosition(value)
		s := streams[id]
		if err != nil || valueErr != nil || s == nil {
			c.problem("link", fmt.Sprintf("key %x", key), "is no link of a stream that there is, at %x", value)
			return
		}
		if revision != s.seen || position <= s.last || position >= c.linkedTo {
			c.problem("link", s.name, "link %d is at %d, after link %d at %d; the index has come to %d", revision, position, s.seen, s.last, c.linkedTo)
		}
		s.seen, s.last = revision+1, position
		if position >= c.scavenged {
			c.links.count(position, mix(s.sum, position))
		}
	})
	for _, s := range streams {
		if s.seen != s.count {
			c.problem("link", s.name, "has %d links, its head says %d", s.seen, s.count)
		}
	}
	return err
}

func parseLinkKey(key []byte) (stream, revision uint64, err error) {
	if len(key) != streamKeySize || key[0] != linkPrefix {
		return 0, 0, fmt.Errorf("key %x is not one of a link", key)
	}
	as := [streamKeySize]byte{}
	copy(as[:], key)
	as[0] = streamPrefix
	return parseStreamKey(as[:])
}

func (c *checker) linkHeads(ctx context.Context) (map[uint64]*linked, error) {
	streams := map[uint64]*linked{}
	err := c.walk(ctx, []byte{indexPrefix}, []byte{indexPrefix + 1}, func(key, value []byte) {
		name := string(key[1:])
		h, err := decodeIndexHead(value)
		if err != nil || streams[h.id] != nil {
			c.problem("link", name, "has the head %x, which is none or another stream's", value)
			return
		}
		streams[h.id] = &linked{name: name, count: h.count, sum: c.linkSum(name)}
	})
	return streams, err
}

// linkSum is that of the name of a stream of the index.
func (c *checker) linkSum(name string) uint64 {
	if category, ok := strings.CutPrefix(name, categoryPrefix); ok {
		return mix(1, c.nameSum([]byte(category)))
	}
	return mix(2, c.nameSum([]byte(strings.TrimPrefix(name, typePrefix))))
}

// linksOf says what links to the record there must be.
func (c *checker) linksOf(v *recordView) {
	if v.position >= c.linkedTo || v.position < c.scavenged || hides(&AllRead{}, v.stream) {
		return
	}
	if string(v.typ) == TypeMetadata || string(v.typ) == TypeTombstone {
		for _, name := range indexedBy(v.record(nil)) {
			if name != "" {
				c.links.say(v.position, mix(c.linkSum(name), v.position))
			}
		}
		return
	}
	if n := categoryLength(v.stream); n > 0 {
		c.links.say(v.position, mix(mix(1, c.nameSum(v.stream[:n])), v.position))
	}
	if string(v.typ) != TypeLink {
		c.links.say(v.position, mix(mix(2, c.nameSum(v.typ)), v.position))
	}
}

// categoryLength is that of the category's name; 0 is none.
func categoryLength(stream []byte) int {
	for i, b := range stream {
		if i == 0 && b == '$' {
			return 0
		}
		if b == '-' {
			return i
		}
	}
	return 0
}

// compareLinks tells where the index of categories and types and the log
// differ.
func (c *checker) compareLinks() {
	for b := range c.links.said {
		if said, counted := c.links.said[b], c.links.counted[b]; said != counted {
			c.problem("link", fmt.Sprintf("about %d", uint64(b)<<neighbours),
				"the log wants %d links in $ce- and $et- streams, and there are %d, or others", said.n, counted.n)
		}
	}
}
