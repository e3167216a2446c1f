package telemetry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
)

// Limits of a record. All lengths are in bytes.
const (
	MaxID   = 64  // of the id, which is visible ASCII
	MaxText = 256 // of the other text columns

	maxThingName = 128
	maxExtra     = 64 << 10

	// The most that a record's time may differ from the time at which it was received. A device
	// that was offline sends the readings of that time later.
	maxAge   = 30 * 24 * time.Hour
	maxAhead = 24 * time.Hour

	// In milliseconds since 1970. The table's times have years of four digits.
	year10000 = 253_402_300_800_000

	// MaxRequeues is how often a record may be requeued.
	MaxRequeues = 5
)

// ErrDiscarded means that a record's type is declared with Discard.
var ErrDiscarded = errors.New("records of this type are discarded")

// A RejectedError is the reason why a record becomes no row. It contains nothing from the record.
type RejectedError struct {
	Field  string // of the payload; empty if the reason is not about one field
	Reason string
}

func (r *RejectedError) Error() string {
	if r.Field == "" {
		return r.Reason
	}
	return r.Field + ": " + r.Reason
}

// A Partition is the partition of the table that a row belongs to.
type Partition struct {
	Type string
	Day  string // 2026-11-21: the UTC day of the record's time
}

// The fields of a payload that have a column. All others go into the column extra.
const (
	fieldID = iota
	fieldType
	fieldAt
	fieldClient
	fieldSession
	fieldPost
	fieldFirmware
	fieldTemperature
	fieldBattery
	fields
)

// fieldNames are the fields' names, in a payload and in the table.
var fieldNames = [fields]string{
	"id", "type", "at", "client", "session", "post", "firmware", "temperature", "battery",
}

// fieldSources are the only sources that may set a field. From the other source the field goes into
// the column extra, so that a client cannot be counted as a device or a device as a client. Fields
// without an entry are allowed for both.
var fieldSources = [fields + 1]Source{
	fieldClient: Client, fieldSession: Client, fieldPost: Client, fieldFirmware: Device,
	fieldTemperature: Device, fieldBattery: Device,
}

// A recordType is a Type with the numbers of its required fields.
type recordType struct {
	Type
	required []int
}

// recordTypes are the Types by name.
var recordTypes = func() map[string]recordType {
	types := map[string]recordType{}
	for _, declared := range Types {
		k := recordType{Type: declared}
		for _, name := range declared.Required {
			field := slices.Index(fieldNames[:], name)
			if field < 0 {
				panic(fmt.Errorf("telemetry: the type %s requires the unknown field %s",
					declared.Name, name))
			}
			k.required = append(k.required, field)
		}
		types[declared.Name] = k
	}
	return types
}()

// A Converter converts records to rows. It reuses its buffers from one record to the next and is
// not safe for concurrent use.
type Converter struct {
	data       []byte // the payload
	values     [fields]jsonscan.Value
	extra      []member // the payload's fields without a column
	timestamps timestampWriter
}

// A member is a field without a column.
type member struct {
	name   []byte // decoded
	quoted []byte // as written, with quotes
	value  []byte // as written
}

// Append appends the row of a record of the stream to row: the record's columns, see [Record], as a
// JSON object that the OpenX JSON SerDe reads. arrived is when the stream received the record.
//
// The error is [ErrDiscarded] or a [*RejectedError]; then nothing is appended.
func (c *Converter) Append(row, record []byte, arrived time.Time) ([]byte, Partition, error) {
	message, err := c.message(record)
	if err != nil {
		return row, Partition{}, err
	}
	source := Client
	if message.device != nil {
		source = Device
	}
	if err := c.payload(source); err != nil {
		return row, Partition{}, err
	}
	kind, err := c.recordType(source)
	if err != nil {
		return row, Partition{}, err
	}
	at, err := c.timestamp(source, message.receivedAt)
	if err != nil {
		return row, Partition{}, err
	}
	if err := c.validate(kind.required); err != nil {
		return row, Partition{}, err
	}
	if kind.Discard {
		return row, Partition{}, ErrDiscarded
	}

	row = append(row, `{"id":`...)
	row = append(row, c.values[fieldID].Raw...)
	row = append(row, `,"at":"`...)
	row = c.timestamps.append(row, at)
	partition := Partition{Type: kind.Name, Day: c.timestamps.day}
	row = append(row, `","received_at":"`...)
	row = c.timestamps.append(row, message.receivedAt)
	row = append(row, `","ingested_at":"`...)
	row = c.timestamps.append(row, arrived.UnixMilli())
	row = append(row, '"')
	if source == Device {
		row = append(row, `,"device":"`...)
		row = append(row, message.device...) // thingName allows no character that JSON escapes
		row = append(row, '"')
	}
	for field := fieldClient; field < fields; field++ {
		if value := c.values[field]; value.Kind != 0 {
			row = append(row, `,"`...)
			row = append(row, fieldNames[field]...)
			row = append(row, `":`...)
			row = append(row, value.Raw...)
		}
	}
	if len(c.extra) > 0 {
		row = append(row, `,"extra":"`...)
		for i, member := range c.extra {
			row = append(row, "{,"[min(i, 1)])
			row = appendQuoted(row, member.quoted)
			row = append(row, ':')
			row = appendQuoted(row, member.value)
		}
		row = append(row, `}"`...)
	}
	return append(row, '}'), partition, nil
}

// appendQuoted appends text, which is JSON, with the escapes of a JSON string. The only control
// characters in JSON are whitespace around values; they are dropped.
func appendQuoted(row, text []byte) []byte {
	from := 0
	for i, c := range text {
		switch {
		case c == '"' || c == '\\':
			row = append(append(row, text[from:i]...), '\\')
			from = i
		case c < ' ':
			row = append(row, text[from:i]...)
			from = i + 1
		}
	}
	return append(row, text[from:]...)
}

// An envelope holds the decoded fields of a Message. The payload is in the Converter.
type envelope struct {
	device     []byte // nil for a client
	receivedAt int64
}

var errNotAMessage = &RejectedError{Reason: "not a message of the IoT rule or the API"}

func (c *Converter) message(record []byte) (e envelope, err error) {
	var topic, receivedAt, data jsonscan.Value
	s := jsonscan.New(record)
	for s.Open(jsonscan.Object); s.More(); {
		name := s.Name()
		value := s.Value()
		switch string(name.Text()) {
		case "topic":
			topic = value
		case "received_at":
			receivedAt = value
		case "data":
			data = value
		}
	}
	s.End()
	if s.Err() != nil || data.Kind != jsonscan.String ||
		topic.Kind != 0 && topic.Kind != jsonscan.String {
		return e, errNotAMessage
	}
	var ok bool
	if e.receivedAt, ok = receivedAt.Int(); !ok || e.receivedAt <= 0 || e.receivedAt >= year10000 {
		return e, errNotAMessage
	}
	if c.data, err = base64.StdEncoding.AppendDecode(c.data[:0], data.Text()); err != nil {
		return e, errNotAMessage
	}
	if topic.Kind == 0 || len(topic.Raw) == len(`""`) {
		return e, nil
	}
	if e.device, ok = thingName(topic.Text()); !ok {
		return e, &RejectedError{Reason: "no thing name in the topic"}
	}
	return e, nil
}

// thingName returns the name of the thing that publishes to a topic: the segment before the last.
// "CreateThing" in the AWS IoT API Reference defines which names are valid.
func thingName(topic []byte) (name []byte, ok bool) {
	end := bytes.LastIndexByte(topic, '/')
	if end < 0 {
		return nil, false
	}
	name = topic[bytes.LastIndexByte(topic[:end], '/')+1 : end]
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != ':' &&
			c != '_' && c != '-' {
			return nil, false
		}
	}
	return name, len(name) > 0 && len(name) <= maxThingName
}

// payload reads the payload's fields.
func (c *Converter) payload(source Source) error {
	c.values = [fields]jsonscan.Value{}
	c.extra = c.extra[:0]
	s := jsonscan.New(c.data)
	if s.Kind() != jsonscan.Object {
		s.Value()
		s.End()
		if s.Err() == nil {
			return &RejectedError{Reason: "not a JSON object"}
		}
		return &RejectedError{Reason: s.Err().Error()}
	}
	var seen [fields]bool
	size := len(`{}`) - len(`,`) // the first member has no comma
	for s.Open(jsonscan.Object); s.More(); {
		quoted := s.Name()
		value := s.Value()
		name := quoted.Text()
		field := fieldOf(name)
		if field == fields || fieldSources[field] != "" && fieldSources[field] != source {
			c.extra = append(c.extra, member{name, quoted.Raw, value.Raw})
			size += len(quoted.Raw) + len(value.Raw) + len(`:,`)
			continue
		}
		if seen[field] {
			return &RejectedError{fieldNames[field], duplicate}
		}
		seen[field] = true
		// Null and the empty string count as missing.
		if value.Kind != jsonscan.Null && string(value.Raw) != `""` {
			c.values[field] = value
		}
	}
	s.End()
	if s.Err() != nil {
		return &RejectedError{Reason: s.Err().Error()}
	}
	if size > maxExtra {
		return &RejectedError{Reason: "fields without a column exceed 64 KiB"}
	}
	slices.SortFunc(c.extra, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	for i := 1; i < len(c.extra); i++ {
		if bytes.Equal(c.extra[i].name, c.extra[i-1].name) {
			return &RejectedError{Reason: duplicate + " field"}
		}
	}
	return nil
}

// Reasons for any field.
const (
	missing    = "missing"
	duplicate  = "duplicate"
	tooLong    = "too long"
	notAString = "not a string"
	notATime   = "neither RFC 3339 nor milliseconds since 1970"
)

// fieldOf returns the field with the name, or fields if there is none.
func fieldOf(name []byte) int {
	for field := range fieldNames {
		if string(name) == fieldNames[field] {
			return field
		}
	}
	return fields
}

// recordType returns the declaration of the record's type.
func (c *Converter) recordType(source Source) (recordType, error) {
	value := c.values[fieldType]
	if value.Kind == 0 {
		return recordType{}, &RejectedError{fieldNames[fieldType], missing}
	}
	var found recordType
	if value.Kind == jsonscan.String {
		found = recordTypes[string(value.Text())]
	}
	if found.Name == "" {
		return recordType{}, &RejectedError{fieldNames[fieldType], "unknown"}
	}
	if found.Source != source {
		return recordType{},
			&RejectedError{fieldNames[fieldType], "not allowed for a " + string(source)}
	}
	return found, nil
}

// timestamp returns the record's time in milliseconds since 1970.
func (c *Converter) timestamp(source Source, receivedAt int64) (int64, error) {
	var at int64
	switch value := c.values[fieldAt]; value.Kind {
	case 0:
		if source == Device { // a device may have no clock
			return receivedAt, nil
		}
		return 0, &RejectedError{fieldNames[fieldAt], missing}
	case jsonscan.String:
		var parsed time.Time
		if parsed.UnmarshalText(value.Text()) != nil {
			return 0, &RejectedError{fieldNames[fieldAt], notATime}
		}
		at = parsed.UnixMilli()
	default:
		var ok bool
		if at, ok = value.Int(); !ok {
			return 0, &RejectedError{fieldNames[fieldAt], notATime}
		}
	}
	switch {
	case at < receivedAt-maxAge.Milliseconds():
		return 0, &RejectedError{fieldNames[fieldAt], "more than 30 days before it was received"}
	case at > receivedAt+maxAhead.Milliseconds():
		return 0, &RejectedError{fieldNames[fieldAt], "more than a day after it was received"}
	}
	return at, nil
}

// validate checks the other fields, and that the required ones are present.
func (c *Converter) validate(required []int) error {
	id := c.values[fieldID]
	if id.Kind == 0 {
		return &RejectedError{fieldNames[fieldID], missing}
	}
	if id.Kind != jsonscan.String {
		return &RejectedError{fieldNames[fieldID], notAString}
	}
	text := id.Text()
	if len(text) > MaxID {
		return &RejectedError{fieldNames[fieldID], tooLong}
	}
	for _, b := range text {
		if b <= ' ' || b > '~' {
			return &RejectedError{fieldNames[fieldID], "not visible ASCII"}
		}
	}
	for field := fieldClient; field <= fieldFirmware; field++ {
		switch value := c.values[field]; {
		case value.Kind == 0:
		case value.Kind != jsonscan.String:
			return &RejectedError{fieldNames[field], notAString}
		case len(value.Raw) > MaxText+len(`""`) && len(value.Text()) > MaxText:
			return &RejectedError{fieldNames[field], tooLong}
		}
	}
	for field := fieldTemperature; field <= fieldBattery; field++ {
		switch value := c.values[field]; {
		case value.Kind == 0:
		case value.Kind != jsonscan.Number:
			return &RejectedError{fieldNames[field], "not a number"}
		case !finite(value.Raw):
			return &RejectedError{fieldNames[field], "not finite"}
		}
	}
	for _, field := range required {
		if c.values[field].Kind == 0 {
			return &RejectedError{fieldNames[field], missing}
		}
	}
	return nil
}

// finite reports whether a number is finite as a float64.
func finite(number []byte) bool {
	if len(number) < 300 && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return true // fewer digits than the largest float64
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}

// A timestampWriter formats times. It caches the last day, because most records of a batch have the
// same.
type timestampWriter struct {
	number int64 // days since 1970
	day    string
}

const msPerDay = int64(24 * time.Hour / time.Millisecond)

// append appends a time, given in milliseconds since 1970, in UTC and in the format that the OpenX
// JSON SerDe reads: "Convert input data format in Amazon Data Firehose" in the Amazon Data Firehose
// Developer Guide.
func (d *timestampWriter) append(row []byte, at int64) []byte {
	number, of := at/msPerDay, at%msPerDay
	if of < 0 {
		number, of = number-1, of+msPerDay
	}
	if d.day == "" || number != d.number {
		d.number, d.day = number, time.UnixMilli(at).UTC().Format(time.DateOnly)
	}
	row = append(row, d.day...)
	seconds := of / 1000
	row = appendDigits(append(row, ' '), seconds/3600, 10)
	row = appendDigits(append(row, ':'), seconds/60%60, 10)
	row = appendDigits(append(row, ':'), seconds%60, 10)
	return appendDigits(append(row, '.'), of%1000, 100)
}

// appendDigits appends a number with as many digits as unit has, leading zeros included.
func appendDigits(row []byte, n, unit int64) []byte {
	for ; unit > 0; unit /= 10 {
		row = append(row, byte('0'+n/unit%10))
	}
	return row
}

// Requeue returns the record to put into the stream again, with its count of requeues incremented.
// The error is a [*RejectedError] if the record has been requeued MaxRequeues times.
func Requeue(record []byte) ([]byte, error) {
	var message Message
	if err := json.Unmarshal(record, &message); err != nil {
		return nil, errNotAMessage
	}
	if message.Requeued >= MaxRequeues {
		return nil, &RejectedError{Reason: "requeued too often"}
	}
	message.Requeued++
	return json.Marshal(message)
}
