package node

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
)

func FuzzLimits(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"$tb":9223372036854775807}`, `{"$maxCount":3,"$maxAge":10,"$cacheControl":1,"$tempStream":true}`,
		`{"$acl":{"$r":"a","$w":["b"],"$d":[],"$mr":"c","$mw":"d"}}`, `{"$maxCount":-1}`, `{"$maxCount":1e3}`, `null`, `[`, `{"x":1} y`,
	} {
		f.Add([]byte(seed), uint64(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, from uint64) {
		l, err := decodeLimits(data)
		if err != nil && l != (limits{}) {
			t.Errorf("metadata that is refused has limits %+v", l)
		}
		from %= deletedBefore
		again := undeleted(data, from)
		if again == nil {
			if l.truncateBefore == deletedBefore && json.Valid(data) {
				t.Errorf("%s hides a stream that nothing brings back", data)
			}
			return
		}
		back, errAgain := decodeLimits(again)
		if err == nil && (errAgain != nil || back.truncateBefore != from || back.maxCount != l.maxCount || back.maxAge != l.maxAge) {
			t.Errorf("%s became %s, which says %+v, %v", data, again, back, errAgain)
		}
	})
}

func FuzzLink(f *testing.F) {
	f.Add([]byte("0@stream"))
	f.Add([]byte("9223372036854775807@a@b"))
	f.Add([]byte("-1@x"))
	f.Add([]byte(" +5 "))
	f.Fuzz(func(t *testing.T, data []byte) {
		stream, revision, ok := (&Record{Type: TypeLink, Data: data}).Link()
		if ok && (stream != "" && !bytes.HasSuffix(data, []byte("@"+stream)) || !bytes.Contains(data, strconv.AppendUint(nil, magnitude(revision), 10))) {
			t.Errorf("%q points at %d of %q", data, revision, stream)
		}
		if _, _, ok := (&Record{Type: "Other", Data: data}).Link(); ok {
			t.Error("an ordinary event is no link")
		}
	})
}

// magnitude is the number without its sign.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func FuzzIndexHead(f *testing.F) {
	f.Add(indexHead{1, 2}.encode())
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := decodeIndexHead(b); err == nil && !bytes.Equal(h.encode(), b) {
			t.Errorf("%x became %x", b, h.encode())
		}
	})
}
