// Package market is a local flexibility market after AEMO's Project EDGE, small
// enough to read in one sitting: Setup makes its names, roles, topics and
// channels through public APIs alone, and three participants trade on it in
// rounds of one simulated 5-minute interval.
//
//   - the aggregator reports the telemetry of each device of its fleet to the
//     network operator and the market operator, and bids when it got its
//     operating envelopes;
//   - the network operator sends the aggregator operating envelopes, which its
//     fleet obeys, and the market operator a model of its network, as a file;
//   - the market operator answers each bid with a dispatch.
//
// It is a sample of what customers write: it talks to gateways over HTTP and
// WebSocket and imports nothing of their inside. It is not a model of a real
// market's rules.
package market

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/schema"
)

// The market's names under the network's root.
const (
	Organisation = "edge.iam.ewc"
	Application  = "market.apps." + Organisation

	RoleMarketOperator  = "marketoperator.roles." + Application
	RoleNetworkOperator = "networkoperator.roles." + Application
	RoleAggregator      = "aggregator.roles." + Application
)

// The parties, by the names of their gateways and participants.
const (
	MarketOperator  = "marketoperator"
	NetworkOperator = "networkoperator"
	Aggregator      = "aggregator"
)

// Parties are the market's parties in the order they are shown.
var Parties = []string{MarketOperator, NetworkOperator, Aggregator}

// Called are the names that people read.
var Called = map[string]string{MarketOperator: "Market operator", NetworkOperator: "Network operator", Aggregator: "Aggregator"}

// Roles are the roles of the parties, by their names.
var Roles = map[string]string{
	MarketOperator: RoleMarketOperator, NetworkOperator: RoleNetworkOperator, Aggregator: RoleAggregator,
}

// Topics are the market's topics; each has a channel of the same name.
var Topics = []string{"hello", "telemetry", "envelope", "bid", "dispatch", "network", "files"}

// kinds are the kinds of the topics' schemas, where they are not JSON.
var kinds = map[string]string{"network": schema.KindCSV, "files": schema.KindBinary}

// Kind returns the kind of a topic's schema.
func Kind(topic string) string { return cmp.Or(kinds[topic], schema.KindJSON) }

// Version of the topics.
const Version = "1.0.0"

//go:embed schemas/*.json
var schemas embed.FS

// Schema returns the schema of a topic: a JSON Schema, or what its Kind has in
// its place.
func Schema(topic string) (json.RawMessage, error) {
	b, err := schemas.ReadFile("schemas/" + topic + ".json")
	if err != nil {
		return nil, fmt.Errorf("the market has no topic %q", topic)
	}
	return b, nil
}

// TopicName returns the full name of a topic.
func TopicName(topic string) string { return topic + "." + Application }

// flows says which roles send and receive on each topic.
var flows = map[string]struct{ from, to []string }{
	"hello":     {[]string{RoleMarketOperator, RoleNetworkOperator, RoleAggregator}, []string{RoleMarketOperator, RoleNetworkOperator, RoleAggregator}},
	"telemetry": {[]string{RoleAggregator}, []string{RoleNetworkOperator, RoleMarketOperator}},
	"envelope":  {[]string{RoleNetworkOperator}, []string{RoleAggregator}},
	"bid":       {[]string{RoleAggregator}, []string{RoleMarketOperator}},
	// The network operator may listen to dispatches, though the market operator
	// sends them to the bidder alone.
	"dispatch": {[]string{RoleMarketOperator}, []string{RoleAggregator, RoleNetworkOperator}},
	// The model of the network, as a table.
	"network": {[]string{RoleNetworkOperator}, []string{RoleMarketOperator}},
	// Any file, from anybody to anybody.
	"files": {[]string{RoleMarketOperator, RoleNetworkOperator, RoleAggregator}, []string{RoleMarketOperator, RoleNetworkOperator, RoleAggregator}},
}

// Channels returns the channels that a party's gateway needs.
func Channels(party string) []gateway.Channel {
	role := Roles[party]
	var out []gateway.Channel
	for _, t := range Topics {
		f := flows[t]
		c := gateway.Channel{Name: t, Topic: TopicName(t), Version: Version}
		if has(f.from, role) {
			c.Send = &gateway.Admission{Roles: f.to}
		}
		if has(f.to, role) {
			c.Receive = &gateway.Admission{Roles: f.from}
		}
		if c.Send != nil || c.Receive != nil {
			out = append(out, c)
		}
	}
	return out
}

func has(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
