// Package iottest emulates AWS IoT Core: an MQTT broker that authorizes devices by an IoT policy
// and applies a topic rule to their publications. Policy and rule come from a CloudFormation
// template. A setting that the package does not emulate is an error, so that no setting passes a
// test unchecked.
package iottest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Settings configures a broker.
type Settings struct {
	// Policy and Rule are the properties of an AWS::IoT::Policy and an AWS::IoT::TopicRule, with
	// values in place of references. All devices have the same policy.
	Policy, Rule map[string]any

	// Kinesis and S3 are the services that the rule's actions call. The broker tries each action
	// once: AWS documents no retries by IoT Core.
	Kinesis *kinesis.Client
	S3      *s3.Client
}

// A Broker is a fake IoT Core. A device connects with the name of its thing as user name, in place
// of the certificate that is attached to the thing; without a user name, its certificate is not
// attached to a thing.
type Broker struct {
	address  string
	server   *mqtt.Server
	policy   policy
	rule     rule
	settings Settings

	received, put, failed, lost, denied atomic.Int64

	losePuback atomic.Pointer[func(payload []byte) bool]
}

// Counts counts a broker's publications by result.
type Counts struct {
	Received int64 // publications that the policy allows, including redelivered ones
	Put      int64 // received publications that were put into the stream
	Failed   int64 // received publications that the error action put into the bucket
	Lost     int64 // received publications for which the error action failed or no rule matched
	Denied   int64 // connections and publications that the policy does not allow
}

// Start returns a broker that runs until the test ends.
func Start(t testing.TB, settings Settings) *Broker {
	t.Helper()
	b := &Broker{settings: settings}
	for part, err := range map[string]error{
		"the policy": decode(settings.Policy, &b.policy),
		"the rule":   decode(settings.Rule, &b.rule),
	} {
		if err != nil {
			t.Fatalf("iottest: %s: %v", part, err)
		}
	}
	if err := b.policy.check(); err != nil {
		t.Fatalf("iottest: the policy: %v", err)
	}
	if err := b.rule.parse(); err != nil {
		t.Fatalf("iottest: the rule: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("iottest: %v", err)
	}
	b.address = listener.Addr().String()
	b.server = mqtt.New(&mqtt.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := b.server.AddHook(&hook{broker: b, ctx: t.Context()}, nil); err != nil {
		t.Fatalf("iottest: %v", err)
	}
	if err := b.server.AddListener(listeners.NewNet("devices", listener)); err != nil {
		t.Fatalf("iottest: %v", err)
	}
	if err := b.server.Serve(); err != nil {
		t.Fatalf("iottest: %v", err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	return b
}

// decode decodes properties into a struct that must have a field for each of them.
func decode(properties map[string]any, into any) error {
	encoded, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// Counts returns the counts so far.
func (b *Broker) Counts() Counts {
	return Counts{b.received.Load(), b.put.Load(), b.failed.Load(), b.lost.Load(), b.denied.Load()}
}

// LosePubacks calls f with each publication after its rule is applied. If f returns true, the
// broker closes the connection before it sends the PUBACK, and the device publishes again. A nil f
// resets it.
func (b *Broker) LosePubacks(f func(payload []byte) bool) {
	if f == nil {
		b.losePuback.Store(nil)
		return
	}
	b.losePuback.Store(&f)
}

// A hook connects the broker to the MQTT server.
type hook struct {
	mqtt.HookBase
	broker *Broker
	ctx    context.Context //nolint:containedctx // the test's; the server has none
}

func (h *hook) ID() string { return "iot-core" }

func (h *hook) Provides(event byte) bool {
	return event == mqtt.OnConnectAuthenticate || event == mqtt.OnACLCheck ||
		event == mqtt.OnPublish
}

func (h *hook) OnConnectAuthenticate(client *mqtt.Client, packet packets.Packet) bool {
	return h.allowed(client, packet.Connect.ClientIdentifier, "iot:Connect", "client",
		packet.Connect.ClientIdentifier)
}

// OnACLCheck closes the connection of a device whose request is denied, like IoT Core.
func (h *hook) OnACLCheck(client *mqtt.Client, topic string, write bool) bool {
	action, kind := "iot:Subscribe", "topicfilter"
	if write {
		action, kind = "iot:Publish", "topic"
	}
	allowed := h.allowed(client, client.ID, action, kind, topic)
	if !allowed {
		client.Stop(packets.ErrNotAuthorized)
	}
	return allowed
}

func (h *hook) allowed(client *mqtt.Client, id, action, kind, name string) bool {
	allowed := h.broker.policy.allows(
		connection{thing: string(client.Properties.Username), client: id}, action, kind, name)
	if !allowed {
		h.broker.denied.Add(1)
	}
	return allowed
}

// OnPublish applies the rule before the device receives the PUBACK, which slows down a busy device.
// IoT Core applies the rule afterwards, and also reports no result to the device.
func (h *hook) OnPublish(client *mqtt.Client, packet packets.Packet) (packets.Packet, error) {
	h.broker.received.Add(1)
	h.broker.applyRule(h.ctx,
		publication{topic: packet.TopicName, payload: packet.Payload, client: client.ID})
	if lose := h.broker.losePuback.Load(); lose != nil && (*lose)(packet.Payload) {
		client.Stop(packets.ErrServerShuttingDown)
		return packet, packets.ErrRejectPacket
	}
	return packet, nil
}
