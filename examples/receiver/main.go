// Command receiver is a partner's server: it verifies Waybill's callbacks,
// prints each with its verdict, and shows its account at GET /.
//
//	WEBHOOK_SECRET=whsec_… receiver -addr 127.0.0.1:8091 -journal callbacks.jsonl
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/examples/receiver/receiver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	addr := flag.String("addr", "127.0.0.1:8091", "address to listen on")
	journal := flag.String("journal", "", "file that keeps the account across restarts")
	flag.Parse()
	secrets := strings.Fields(os.Getenv("WEBHOOK_SECRET"))
	if len(secrets) == 0 {
		return errors.New("WEBHOOK_SECRET is empty: set it to the whsec_… that creating the endpoint answered, several separated by spaces")
	}
	var file io.ReadWriter
	if *journal != "" {
		opened, err := os.OpenFile(*journal, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		defer opened.Close()
		file = opened
	}
	r, err := receiver.New(file, secrets...)
	if err != nil {
		return err
	}
	r.Tell = func(c receiver.Callback) {
		fmt.Printf("%s  %-17s %-14s %s #%d attempt %s\n", c.Received.Format(time.TimeOnly), c.Verdict, c.Type, c.Lane, c.Sequence, c.Attempt)
	}
	server := &http.Server{Addr: *addr, Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	fmt.Println("receiving at http://" + *addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
