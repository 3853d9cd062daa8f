// Package configs holds every setting of the program in one place: its name as
// a flag, its environment variable, its default and its meaning. A flag beats
// the environment, which beats waybill.yaml. It knows no other package; app
// hands each package its own part.
package configs

import (
	"strings"
	"time"
)

// Config is the whole program's settings.
type Config struct {
	HTTPAddr        string        `name:"http-addr" env:"WAYBILL_HTTP_ADDR" default:"127.0.0.1:8080" help:"Address of the API."`
	DataDir         string        `name:"data-dir" env:"WAYBILL_DATA_DIR" default:"./data" type:"path" help:"Folder of the embedded node, the read models and the keys."`
	EventStore      string        `name:"eventstore" env:"WAYBILL_EVENTSTORE" help:"Connection string (esdb://…) of an EventStoreDB; empty runs the embedded node."`
	NodeAddr        string        `name:"node-addr" env:"WAYBILL_NODE_ADDR" default:"127.0.0.1:2113" help:"Where the embedded node listens; port 0 picks one."`
	Database        string        `name:"database" env:"WAYBILL_DATABASE" help:"Postgres (postgres://user:password@host:port/database) for read models, personal data and the state of webhooks, which several processes may share; empty keeps them in SQLite files below the data folder."`
	AdminKey        string        `name:"admin-key" env:"WAYBILL_ADMIN_KEY" help:"The first API key, scope admin, at least 16 characters; empty makes one, prints it once and keeps it in the data folder."`
	MasterKey       string        `name:"master-key" env:"WAYBILL_MASTER_KEY" help:"Base64 of 32 bytes that encrypt secrets and personal data; empty keeps one in the data folder."`
	LogLevel        string        `name:"log-level" env:"WAYBILL_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least severe line that is logged: debug, info, warn, error."`
	LogFormat       string        `name:"log-format" env:"WAYBILL_LOG_FORMAT" default:"text" enum:"text,json" help:"Form of the log lines: text, json."`
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"WAYBILL_SHUTDOWN_TIMEOUT" default:"10s" help:"How long requests may take to finish after a stop signal."`
	MaxBodyBytes    int64         `name:"max-body-bytes" env:"WAYBILL_MAX_BODY_BYTES" default:"2097152" help:"Largest request body in bytes."`
	MaxBulkBytes    int64         `name:"max-bulk-bytes" env:"WAYBILL_MAX_BULK_BYTES" default:"268435456" help:"Largest body of POST /v1/orders/bulk in bytes; each of its lines is a request body."`
	SandboxAddr     string        `name:"sandbox-addr" env:"WAYBILL_SANDBOX_ADDR" default:"127.0.0.1:0" help:"Where the sandbox payment gateway listens; port 0 picks one."`
	Warehouse       string        `name:"warehouse" env:"WAYBILL_WAREHOUSE" help:"URL (http://…) of the warehouse's system, see docs/warehouse.md; empty means that people pick and record parcels through the API."`

	SandboxCallbacks string `name:"sandbox-callbacks" env:"WAYBILL_SANDBOX_CALLBACKS" default:"news" enum:"none,news,all" help:"What the sandbox gateway tells this process by signed callbacks: none; news, which is what its answers did not say; all, which is every change, as some gateways do."`

	DatabaseConnections int `name:"database-connections" env:"WAYBILL_DATABASE_CONNECTIONS" default:"24" help:"Connections to Postgres that this process has at most, 4 to 1000."`

	ProjectionsPartitions int `name:"projections-partitions" env:"WAYBILL_PROJECTIONS_PARTITIONS" default:"1" help:"How many parts the large read models (orders, timeline, payments) are brought forward in, each by one process, 1 to 64. All processes have the same number. More than 1 needs Postgres: a SQLite file has one writer."`

	Handlers []string `name:"handlers" env:"WAYBILL_HANDLERS" help:"Of the role handlers this process runs only these: analytics, cache, email, endpoint-mail, fraud, receipt, search-index, or tasks, which is all that is no side effect; empty is everything. \"waybill serve --only\" is short for it."`

	MetricsAddr string `name:"metrics-addr" env:"WAYBILL_METRICS_ADDR" help:"Where a process without the role api serves /metrics, /healthz and /readyz; empty is nowhere. With the role they are at http-addr."`

	TraceURL string `name:"trace-url" env:"WAYBILL_TRACE_URL" help:"Where the console's links to traces lead, with {trace_id} in it, as http://localhost:16686/trace/{trace_id}; empty is no links."`

	PprofAddr string `name:"pprof-addr" env:"WAYBILL_PPROF_ADDR" help:"Loopback address of Go's profiler (net/http/pprof); empty is none."`

	Node     Node     `embed:"" prefix:"node-" envprefix:"WAYBILL_NODE_"`
	Checkout Checkout `embed:"" prefix:"checkout-" envprefix:"WAYBILL_CHECKOUT_"`
	Tasks    Tasks    `embed:"" prefix:"tasks-" envprefix:"WAYBILL_TASKS_"`
	Webhooks Webhooks `embed:"" prefix:"webhooks-" envprefix:"WAYBILL_WEBHOOKS_"`

	Gateways []string `name:"gateways" env:"WAYBILL_GATEWAYS" default:"sandbox" help:"Payment gateways that are on: sandbox, stripe. A payment method begins with the name of its gateway, as in stripe:pm_card_visa."`
	Gateway  Gateway  `embed:"" prefix:"gateway-" envprefix:"WAYBILL_GATEWAY_"`
	Stripe   Stripe   `embed:"" prefix:"stripe-" envprefix:"WAYBILL_STRIPE_"`

	Effects   Effects   `embed:"" prefix:"effects-" envprefix:"WAYBILL_EFFECTS_"`
	Analytics Analytics `embed:"" prefix:"analytics-" envprefix:"WAYBILL_ANALYTICS_"`

	Shop Shop `embed:"" prefix:"shop-" envprefix:"WAYBILL_SHOP_"`
}

// Node is how the embedded node is reached when it runs alone.
type Node struct {
	TLSCert       string `name:"tls-cert" env:"TLS_CERT" help:"PEM file of the certificate and its chain for \"waybill node\"; with it clients need TLS and an account, without it the node serves this machine only. Read again when it changes."`
	TLSKey        string `name:"tls-key" env:"TLS_KEY" help:"PEM file of the certificate's private key."`
	Advertise     string `name:"advertise" env:"ADVERTISE" help:"host:port that \"waybill node\" gives to clients that discover it, which must be in the certificate; empty is the address they have reached."`
	AdminPassword string `name:"admin-password" env:"ADMIN_PASSWORD" help:"Password of the account admin, at least 8 characters, where the first start with TLS makes it; empty makes a random one and prints it once."`
	OpsPassword   string `name:"ops-password" env:"OPS_PASSWORD" help:"The same for the account ops."`
	Index         bool   `name:"index" env:"INDEX" help:"Offer the streams $ce-CATEGORY and $et-TYPE, with links to all events of a category and of a type, as EventStoreDB's standard projections do."`

	KeepAwake       bool          `name:"keep-awake" env:"KEEP_AWAKE" help:"Let no processor of the machine sleep while events are appended, and a second after: a caller who appends alone is answered sooner, for more electricity. Linux alone; the process has to be allowed to write /dev/cpu_dma_latency."`
	ScavengeEvery   time.Duration `name:"scavenge-every" env:"SCAVENGE_EVERY" default:"0s" help:"How often the process that serves the embedded node removes what no stream shows any more, at its start first; 0s leaves it to \"waybill node scavenge\"."`
	MaxAppendBytes  int64         `name:"max-append-bytes" env:"MAX_APPEND_BYTES" default:"1048576" help:"Largest append to the embedded node in bytes, 1024 to 16777216: data, metadata and types of all its events."`
	MinFreeBytes    int64         `name:"min-free-bytes" env:"MIN_FREE_BYTES" default:"268435456" help:"The embedded node refuses appends while its disk has less room than this many bytes."`
	MaxGroups       int           `name:"max-groups" env:"MAX_GROUPS" default:"1000" help:"Persistent subscriptions that the embedded node has at most."`
	MaxGroupClients int           `name:"max-group-clients" env:"MAX_GROUP_CLIENTS" default:"10000" help:"Clients of all of them together."`
}

// Checkout is how patient placing an order is.
type Checkout struct {
	GatewayTimeout  time.Duration   `name:"gateway-timeout" env:"GATEWAY_TIMEOUT" default:"6s" help:"Longest wait for the payment gateway; after it the outcome is unknown."`
	ReservationTTL  time.Duration   `name:"reservation-ttl" env:"RESERVATION_TTL" default:"15m" help:"How long stock is reserved while a checkout runs."`
	DeclinedTTL     time.Duration   `name:"declined-ttl" env:"DECLINED_TTL" default:"5m" help:"How long stock is kept after a declined payment."`
	UnknownTTL      time.Duration   `name:"unknown-ttl" env:"UNKNOWN_TTL" default:"30m" help:"How long stock is first kept while a payment's outcome is unknown."`
	UnknownSchedule []time.Duration `name:"unknown-schedule" env:"UNKNOWN_SCHEDULE" default:"2s,5s,15s,60s" help:"When an unknown payment is looked up at the gateway, after it became unknown."`
	UnknownEvery    time.Duration   `name:"unknown-every" env:"UNKNOWN_EVERY" default:"5m" help:"How often it is looked up after the schedule."`
	Capture         string          `name:"capture" env:"CAPTURE" default:"shipped" enum:"shipped,placed" help:"When the money of an order is taken: shipped (with each shipment, what it is worth) or placed (all of it at once)."`
	UnknownGiveUp   time.Duration   `name:"unknown-give-up" env:"UNKNOWN_GIVE_UP" default:"24h" help:"After this an unknown payment is voided and its stock released."`
	RecoverAfter    time.Duration   `name:"recover-after" env:"RECOVER_AFTER" default:"15s" help:"A checkout without progress for so long is finished or undone."`
	RecoverEvery    time.Duration   `name:"recover-every" env:"RECOVER_EVERY" default:"1s" help:"How often open checkouts are looked through."`
}

// Tasks is how what orders still need is done, after the request that caused it
// was answered.
type Tasks struct {
	Every         time.Duration `name:"every" env:"EVERY" default:"250ms" help:"How often the list of due tasks is looked through."`
	Workers       int           `name:"workers" env:"WORKERS" default:"16" help:"Orders that are worked on at once, 1 to 256."`
	Timeout       time.Duration `name:"timeout" env:"TIMEOUT" default:"1m" help:"Longest time one attempt of a task may take."`
	CompleteAfter time.Duration `name:"complete-after" env:"COMPLETE_AFTER" default:"336h" help:"An order is complete so long after its last delivery, return or refund; counts for what happens from then on."`
	AskWarehouse  time.Duration `name:"ask-warehouse-after" env:"ASK_WAREHOUSE_AFTER" default:"1h" help:"A warehouse's system that told nothing of a job for so long is asked what became of it, and again after as long; when it is first asked counts for what happens from then on."`
	SweepEvery    time.Duration `name:"sweep-every" env:"SWEEP_EVERY" default:"1s" help:"How often reservations of stock whose time is over are released."`
}

// Webhooks is how callbacks are delivered.
type Webhooks struct {
	AllowPrivate bool            `name:"allow-private" env:"ALLOW_PRIVATE" default:"false" help:"Let endpoints be loopback or private addresses and plain http: development only."`
	Timeout      time.Duration   `name:"timeout" env:"TIMEOUT" default:"20s" help:"Deadline of one attempt: connection, request and answer."`
	Schedule     []time.Duration `name:"schedule" env:"SCHEDULE" default:"5s,30s,2m,10m,30m,2h,5h,10h,14h,20h,24h" help:"Waits between the attempts of one delivery."`
	BreakerWaits []time.Duration `name:"breaker-waits" env:"BREAKER_WAITS" default:"5s,30s,2m,10m" help:"Waits before an endpoint that is down is tried again; the last one repeats."`
	InFlight     int             `name:"in-flight" env:"IN_FLIGHT" default:"8" help:"Attempts under way at once for one endpoint in the beginning, 1 to 64; it adapts to what the endpoint takes."`
	PerHost      int             `name:"per-host" env:"PER_HOST" default:"64" help:"Attempts under way at once at one target host, whatever endpoints it has."`
	PerProcess   int             `name:"per-process" env:"PER_PROCESS" default:"2048" help:"Attempts under way at once in all."`
	WarnAfter    []time.Duration `name:"warn-after" env:"WARN_AFTER" default:"1h,24h,72h" help:"Times without one success after which the owner of an endpoint is told that it fails."`
	DisableAfter time.Duration   `name:"disable-after" env:"DISABLE_AFTER" default:"120h" help:"Time without one success after which an endpoint is disabled; nothing is lost, it goes on where it stopped when it is enabled."`
	ReplayTrace  string          `name:"replay-trace" env:"REPLAY_TRACE" default:"new" enum:"new,continue" help:"Where the spans of replayed attempts are: in a new trace that is linked to the first one, or continue that."`
	Lease        time.Duration   `name:"lease" env:"LEASE" default:"15s" help:"How long a process owns an endpoint without renewing."`
	Backlog      string          `name:"backlog" env:"BACKLOG" default:"process" enum:"process,inside" help:"Where endpoints that are far behind or have replays are served: in a process of its own, which is started when there are any and gets the processor when nothing else wants it, or inside this one."`

	Verify string `name:"verify" env:"VERIFY" default:"" enum:",none,partners,all" help:"Whose endpoints get nothing but endpoint.ping until they have shown that they verify signatures: none, partners or all; empty is partners, and none where private addresses are allowed."`

	MaxEndpoints        int `name:"max-endpoints" env:"MAX_ENDPOINTS" default:"1000" help:"Endpoints that the shop, or one partner, may have; 0 is any number."`
	MaxEndpointsPerHost int `name:"max-endpoints-per-host" env:"MAX_ENDPOINTS_PER_HOST" default:"250" help:"Of these, endpoints at one target host; 0 is any number."`
	CreatesPerMinute    int `name:"creates-per-minute" env:"CREATES_PER_MINUTE" default:"600" help:"Endpoints that the shop, or one partner, may create in a minute; 0 is any number."`
	TestsPerMinute      int `name:"tests-per-minute" env:"TESTS_PER_MINUTE" default:"60" help:"Test messages that the shop, or one partner, may ask for in a minute; 0 is any number."`
	ResendsPerMinute    int `name:"resends-per-minute" env:"RESENDS_PER_MINUTE" default:"600" help:"Messages that the shop, or one partner, may have sent again in a minute; 0 is any number."`
	ReplaysPerMinute    int `name:"replays-per-minute" env:"REPLAYS_PER_MINUTE" default:"60" help:"Replays that the shop, or one partner, may ask for in a minute; 0 is any number."`

	MaxPreviews    int           `name:"max-previews" env:"MAX_PREVIEWS" default:"2" help:"Previews of filters that the shop, or one partner, may have under way at once in a process; 0 is any number."`
	PreviewTime    time.Duration `name:"preview-time" env:"PREVIEW_TIME" default:"5s" help:"How long a preview of a filter reads history, a minute at most."`
	MaxReaders     int           `name:"max-readers" env:"MAX_READERS" default:"200" help:"Requests to the feed, and streams of it, that the shop, or one partner, may have under way at once in a process; 0 is any number."`
	MaxPastReaders int           `name:"max-past-readers" env:"MAX_PAST_READERS" default:"8" help:"Of these, those that read what is long past, each of them by itself; 0 is any number."`

	AllowedPorts   []uint16 `name:"allowed-ports" env:"ALLOWED_PORTS" help:"Ports that endpoints may have besides 443: 80, 8443 or 1024 and above."`
	DeniedNetworks []string `name:"denied-networks" env:"DENIED_NETWORKS" help:"Networks (CIDR) that endpoints are never in, besides all that are not public: your own ingress, for example."`
	EgressIPs      []string `name:"egress-ips" env:"EGRESS_IPS" help:"Addresses or networks (CIDR) that webhooks come from, as GET /v1/egress-ips tells partners for their firewalls."`
}

// BacklogProcess is the setting of [Webhooks].Backlog with a process of its own.
const BacklogProcess = "process"

// Redacted hides the password of a connection string.
func Redacted(raw string) string {
	at := strings.LastIndex(raw, "@")
	scheme := strings.Index(raw, "://")
	if at < 0 || scheme < 0 || at < scheme {
		return raw
	}
	return raw[:scheme+3] + "***" + raw[at:]
}
