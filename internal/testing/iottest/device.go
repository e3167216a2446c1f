package iottest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/mochi-mqtt/server/v2/packets"
)

// A Device is an MQTT 3.1.1 client, like the software of a thing: it publishes with quality of
// service 1 and resends each publication until the broker acknowledges it.
type Device struct {
	address, thing, id string

	connection net.Conn
	reader     *bufio.Reader
}

// window is the maximum number of publications in flight. IoT Core accepts 100 per second and
// connection.
const window = 100

// ErrDisconnected reports that the broker rejected a device's request by disconnecting the device.
var ErrDisconnected = errors.New("the broker closed the connection")

// Connect connects as a thing, with a client identifier. With an empty thing, the device's
// certificate is not attached to a thing.
func (b *Broker) Connect(thing, id string) (*Device, error) {
	d := &Device{address: b.address, thing: thing, id: id}
	return d, d.connect()
}

// Close closes the connection.
func (d *Device) Close() error { return d.connection.Close() }

// Publish publishes payloads and returns when the broker has acknowledged each of them. It fails
// with [ErrDisconnected] when the broker has closed two connections in a row without an
// acknowledgement.
func (d *Device) Publish(topic string, payloads ...[]byte) error {
	publications := make([]packets.Packet, 0, window)
	for len(payloads) > 0 {
		count := min(len(payloads), window)
		publications = publications[:0]
		for i, payload := range payloads[:count] {
			publications = append(publications, packets.Packet{
				FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1},
				PacketID:    uint16(i + 1), //nolint:gosec // within the window
				TopicName:   topic,
				Payload:     payload,
			})
		}
		payloads = payloads[count:]
		for idle := 0; len(publications) > 0; {
			acknowledged := d.publish(publications)
			if publications = publications[acknowledged:]; len(publications) == 0 {
				break
			}
			if idle++; acknowledged > 0 {
				idle = 0
			}
			if idle == 2 {
				return ErrDisconnected
			}
			if err := d.connect(); err != nil {
				return err
			}
			for i := range publications {
				publications[i].FixedHeader.Dup = true
			}
		}
	}
	return nil
}

// publish sends publications and returns how many of them were acknowledged before the connection
// closed. The broker acknowledges them in order.
func (d *Device) publish(publications []packets.Packet) (acknowledged int) {
	var sent bytes.Buffer
	for _, publication := range publications {
		if err := publication.PublishEncode(&sent); err != nil {
			panic(err) // a complete packet always has an encoding
		}
	}
	if _, err := d.connection.Write(sent.Bytes()); err != nil {
		return 0
	}
	for acknowledged < len(publications) {
		packet, err := d.read()
		if err != nil || packet.FixedHeader.Type != packets.Puback ||
			packet.PacketID != publications[acknowledged].PacketID {
			break
		}
		acknowledged++
	}
	return acknowledged
}

// Subscribe subscribes to a topic filter.
func (d *Device) Subscribe(filter string) error {
	var sent bytes.Buffer
	request := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1},
		PacketID:    1,
		Filters:     packets.Subscriptions{{Filter: filter, Qos: 1}},
	}
	if err := request.SubscribeEncode(&sent); err != nil {
		return err
	}
	if _, err := d.connection.Write(sent.Bytes()); err != nil {
		return err
	}
	if _, err := d.read(); err != nil {
		return ErrDisconnected
	}
	return nil
}

func (d *Device) connect() error {
	if d.connection != nil {
		_ = d.connection.Close() // the broker has closed it already
	}
	var err error
	if d.connection, err = net.Dial("tcp", d.address); err != nil {
		return err
	}
	d.reader = bufio.NewReader(d.connection)
	request := packets.Packet{
		FixedHeader:     packets.FixedHeader{Type: packets.Connect},
		ProtocolVersion: 4, // 3.1.1
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), ClientIdentifier: d.id, Keepalive: 60,
			UsernameFlag: d.thing != "", Username: []byte(d.thing),
		},
	}
	var sent bytes.Buffer
	if err := request.ConnectEncode(&sent); err != nil {
		return err
	}
	if _, err := d.connection.Write(sent.Bytes()); err != nil {
		return err
	}
	packet, err := d.read()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	if packet.FixedHeader.Type != packets.Connack || packet.ReasonCode != 0 {
		return fmt.Errorf("%w: code %d", ErrDisconnected, packet.ReasonCode)
	}
	return nil
}

// read reads one packet.
func (d *Device) read() (packets.Packet, error) {
	packet := packets.Packet{ProtocolVersion: 4}
	first, err := d.reader.ReadByte()
	if err != nil {
		return packet, err
	}
	if err := packet.FixedHeader.Decode(first); err != nil {
		return packet, err
	}
	length, _, err := packets.DecodeLength(d.reader)
	if err != nil {
		return packet, err
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(d.reader, body); err != nil {
		return packet, err
	}
	switch packet.FixedHeader.Type {
	case packets.Connack:
		err = packet.ConnackDecode(body)
	case packets.Puback:
		err = packet.PubackDecode(body)
	}
	return packet, err
}
