// This file takes the place of the client's own of that name. It starts a node
// of this repository where the client's starts a container.
package esdb_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/goombaio/namegenerator"
)

var NAME_GENERATOR = namegenerator.NewNameGenerator(0)

// A Container is a node in a process of its own.
type Container struct {
	Endpoint string
	process  *exec.Cmd
	stdin    io.Closer
}

// Close ends the node, which must then have nothing to complain of.
func (c *Container) Close() {
	if err := c.stdin.Close(); err != nil {
		panic(err)
	}
	if err := c.process.Wait(); err != nil {
		panic(fmt.Errorf("the node ended with %w", err))
	}
}

func GetEnvOrDefault(key, defaultValue string) string {
	if value, ok := os.LookupEnv(key); ok {
		return value
	}
	return defaultValue
}

func IsESDBVersion20() bool { return false }

func isInsecure() bool { return GetEnvOrDefault("EVENTSTORE_INSECURE", "true") == "true" }

func CreateEmptyDatabase(t *testing.T) (*Container, *esdb.Client) { return createDatabase(t) }

func CreatePopulatedDatabase(t *testing.T) (*Container, *esdb.Client) {
	return createDatabase(t, "-fixtures", "../resources/test")
}

func createDatabase(t *testing.T, args ...string) (*Container, *esdb.Client) {
	container := start(t, args)
	client := GetClient(t, container)
	WaitForAdminToBeAvailable(t, client)
	waitForLeader(t, client)
	return container, client
}

func start(t *testing.T, args []string) *Container {
	dir, err := os.MkdirTemp(os.Getenv("WAYBILL_CONFORMANCE_TEMP"), "node-")
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"serve", "-dir", dir}, args...)
	if !isInsecure() {
		args = append(args, "-cert", "../certs/node/node.crt", "-key", "../certs/node/node.key")
	}
	cmd := exec.Command(os.Getenv("WAYBILL_CONFORMANCE_PROGRAM"), args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the node did not start: %v, %v", err, cmd.Wait())
	}
	// Some tests count on the name localhost, which is in the certificate.
	endpoint := strings.Replace(strings.TrimSpace(address), "127.0.0.1", "localhost", 1)
	return &Container{Endpoint: endpoint, process: cmd, stdin: stdin}
}

func GetClient(t *testing.T, container *Container) *esdb.Client {
	if isInsecure() {
		return CreateClient(fmt.Sprintf("esdb://%s?tls=false", container.Endpoint), t)
	}
	return CreateClient(fmt.Sprintf("esdb://admin:changeit@%s?tlsverifycert=false&tls=true", container.Endpoint), t)
}

func CreateClient(connection string, t *testing.T) *esdb.Client {
	config, err := esdb.ParseConnectionString(connection)
	if err != nil {
		t.Fatal(err)
	}
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// WaitForAdminToBeAvailable does not wait: a node whose address is known is
// ready.
func WaitForAdminToBeAvailable(t *testing.T, db *esdb.Client) {
	if isInsecure() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stream, err := db.ReadStream(ctx, "$users", esdb.ReadStreamOptions{}, 1)
	if err != nil {
		t.Fatalf("read $users: %v", err)
	}
	defer stream.Close()
	if _, err := stream.Recv(); err != nil {
		t.Fatalf("read $users: %v", err)
	}
}

// waitForLeader does what the client's own harness does to see whether the
// server is ready, because tests see the subscription it leaves behind.
func waitForLeader(t *testing.T, db *esdb.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := db.CreatePersistentSubscription(ctx, NAME_GENERATOR.Generate(), "group", esdb.PersistentStreamSubscriptionOptions{})
	if err != nil {
		t.Fatalf("create a persistent subscription: %v", err)
	}
}
