package bus

import (
	"fmt"
	"strings"
)

// serverText is the configuration of the embedded server. SPINE owns JetStream
// and has the broker as its only user. GW has the gateways and imports three
// services: publish, fetch, acknowledge. JetStream answers to whatever reply
// subject a publisher names, with the rights of the stream's account; in one
// shared account any gateway could therefore delete streams. No users stand
// here: the door says who is in which account.
//
// A batch that is opened and never committed costs files and synced writes until
// its 2 s are over, so a stream allows 100 at once: honest publishers have one
// each, and send one by one when theirs is refused.
func serverText(c EmbedConfig) string {
	var b strings.Builder
	fmt.Fprintf(&b, "server_name: %q\nmax_payload: %d\n", c.Name, MaxPayload)
	fmt.Fprintf(&b, "jetstream { store_dir: %q, sync_interval: %q, max_file_store: %d, max_memory_store: %d,\n", c.StoreDir, c.SyncInterval, c.MaxFileStore, int64(256<<20))
	b.WriteString("  limits: { batch: { max_inflight_per_stream: 100, max_inflight_total: 2000, timeout: \"2s\" } } }\n")
	fmt.Fprintf(&b, `accounts {
  SPINE { jetstream: { max_file: %d, max_streams: 200, max_consumers: 50000 }
          exports: [ { service: "m.*.*.*", response: singleton, accounts: [GW] }
                     { service: "$JS.API.CONSUMER.MSG.NEXT.*.*", response: stream, accounts: [GW] }
                     { service: "$JS.ACK.>", response: singleton, accounts: [GW] } ] }
  GW    { limits: { max_subs: %d, max_connections: %d, max_payload: %d, max_leafnodes: 0 }
          imports: [ { service: { account: SPINE, subject: "m.*.*.*" } }
                     { service: { account: SPINE, subject: "$JS.API.CONSUMER.MSG.NEXT.*.*" } }
                     { service: { account: SPINE, subject: "$JS.ACK.>" } } ] } }
authorization { timeout: 5 }
`, c.MaxFileStore, maxSubs, c.MaxConnections, MaxPayload)
	return b.String()
}
