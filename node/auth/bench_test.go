package auth_test

import (
	"context"
	"testing"

	"github.com/waybill-dev/waybill/node/auth"
)

// BenchmarkCall is what security costs a call whose caller is known.
func BenchmarkCall(b *testing.B) {
	n, a := open(b, "ann")
	writeACL(b, n, "s", `{"$r":"ann"}`)
	header := basic("ann", userPassword)
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := a.Authenticate(ctx, "test", header)
			if err == nil {
				err = a.Authorise(p, auth.Read, "s")
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPassword is what a wrong password costs the node.
func BenchmarkPassword(b *testing.B) {
	_, a := open(b, "ann")
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := a.Authenticate(ctx, "test", basic("ann", string(rune('a'+i%26))+string(rune(0x4e00+i)))); err == nil {
			b.Fatal("a wrong password is right")
		}
	}
}
