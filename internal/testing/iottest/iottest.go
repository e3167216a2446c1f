// Package iottest stands in for AWS IoT Core: an MQTT broker that lets devices do what a policy says, and does with what they
// publish what a rule says. Policy and rule are those of a CloudFormation template; what the stand-in does not know of them is an
// error, so that nothing passes a test that nobody has looked at.
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

// Settings are what a broker is made of.
type Settings struct {
	// The properties of an AWS::IoT::Policy and an AWS::IoT::TopicRule, with values in the place of references. All devices have
	// the one policy.
	Policy, Rule map[string]any

	// What the rule's actions call. The broker tries each action once: AWS does not say that IoT Core does more.
	Kinesis *kinesis.Client
	S3      *s3.Client
}

// A Broker stands in for IoT Core. A device connects with the name of its thing as user name, which stands for the certificate
// that is attached to the thing; without one, it has a certificate that is no thing's.
type Broker struct {
	address string
	server  *mqtt.Server
	policy  policy
	rule    rule
	settings     Settings

	received, put, failed, lost, denied atomic.Int64

	losePuback atomic.Pointer[func(payload []byte) bool]
}

// Counts are what a broker has done so far.
type Counts struct {
	Received int64 // publications that the policy allows, redelivered ones too
	Put      int64 // of which into the stream
	Failed   int64 // of which into the bucket, by the error action
	Lost     int64 // of which nowhere: the error action failed too, or no rule is about the topic
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

// decode fills into with properties, all of which it has to know.
func decode(properties map[string]any, into any) error {
	encoded, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// Counts returns what the broker has done so far.
func (b *Broker) Counts() Counts {
	return Counts{b.received.Load(), b.put.Load(), b.failed.Load(), b.lost.Load(), b.denied.Load()}
}

// LosePubacks has f look at each publication when its rule is done. Where it says true, the connection ends before the device
// hears of it, and will publish it again. A nil f ends it.
func (b *Broker) LosePubacks(f func(payload []byte) bool) {
	if f == nil {
		b.losePuback.Store(nil)
		return
	}
	b.losePuback.Store(&f)
}

// A hook is the broker as MQTT's server knows it.
type hook struct {
	mqtt.HookBase
	broker *Broker
	ctx    context.Context //nolint:containedctx // of the test; the server has none
}

func (h *hook) ID() string { return "iot-core" }

func (h *hook) Provides(event byte) bool {
	return event == mqtt.OnConnectAuthenticate || event == mqtt.OnACLCheck || event == mqtt.OnPublish
}

func (h *hook) OnConnectAuthenticate(client *mqtt.Client, packet packets.Packet) bool {
	return h.allowed(client, packet.Connect.ClientIdentifier, "iot:Connect", "client", packet.Connect.ClientIdentifier)
}

// OnACLCheck ends the connection of a device that may not do what it asks for, as IoT Core does.
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
	allowed := h.broker.policy.allows(connection{thing: string(client.Properties.Username), client: id}, action, kind, name)
	if !allowed {
		h.broker.denied.Add(1)
	}
	return allowed
}

// OnPublish does what the rule says before the device hears that its publication has come: that way, a device that is busy
// keeps itself back. IoT Core does it afterwards, and tells the device nothing of it either.
func (h *hook) OnPublish(client *mqtt.Client, packet packets.Packet) (packets.Packet, error) {
	h.broker.received.Add(1)
	h.broker.applyRule(h.ctx, publication{topic: packet.TopicName, payload: packet.Payload, client: client.ID})
	if lose := h.broker.losePuback.Load(); lose != nil && (*lose)(packet.Payload) {
		client.Stop(packets.ErrServerShuttingDown)
		return packet, packets.ErrRejectPacket
	}
	return packet, nil
}
