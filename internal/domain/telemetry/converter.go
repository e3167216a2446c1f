package telemetry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
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
	year1     = -62_135_596_800_000
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

// A Converter converts records to rows. It reuses its buffers from one record to the next and is
// not safe for concurrent use.
type Converter struct {
	layout     *Layout
	data       []byte           // the payload
	values     []jsonscan.Value // of the layout's fields
	times      []int64          // of its timestamps, in milliseconds since 1970
	seen       []bool
	extra      []member // the payload's fields without a column
	timestamps timestampWriter
}

// NewConverter returns a converter to rows of the layout. Converters may share a layout.
func NewConverter(layout *Layout) *Converter {
	n := len(layout.fields)
	return &Converter{
		layout: layout,
		values: make([]jsonscan.Value, n), times: make([]int64, n), seen: make([]bool, n),
	}
}

// A member is a field without a column.
type member struct {
	name   []byte // decoded
	quoted []byte // as written, with quotes
	value  []byte // as written
}

// Append appends the row of a record of the stream to row: the record's columns, as a JSON object
// that the OpenX JSON SerDe reads. arrived is when the stream received the record.
//
// The error is [ErrDiscarded] or a [*RejectedError]; then nothing is appended.
func (c *Converter) Append(row, record []byte, arrived time.Time) ([]byte, Partition, error) {
	message, err := c.message(record)
	if err != nil {
		return row, Partition{}, err
	}
	source := telemetryschema.Client
	if message.device != nil {
		source = telemetryschema.Device
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
	if source == telemetryschema.Device {
		row = append(row, `,"device":"`...)
		row = append(row, message.device...) // thingName allows no character that JSON escapes
		row = append(row, '"')
	}
	for i := firstColumn; i < len(c.values); i++ {
		if c.values[i].Kind == 0 {
			continue
		}
		row = append(row, c.layout.fields[i].key...)
		if c.layout.fields[i].kind == telemetryschema.Timestamp {
			row = append(c.timestamps.append(append(row, '"'), c.times[i]), '"')
		} else {
			row = append(row, c.values[i].Raw...)
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

// An envelope holds the decoded fields of a [telemetryschema.Message]. The payload is in the
// Converter.
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
func (c *Converter) payload(source telemetryschema.Source) error {
	clear(c.values)
	clear(c.seen)
	c.extra = c.extra[:0]
	names := &c.layout.client
	if source == telemetryschema.Device {
		names = &c.layout.device
	}
	s := jsonscan.New(c.data)
	if s.Kind() != jsonscan.Object {
		s.Value()
		s.End()
		if s.Err() == nil {
			return &RejectedError{Reason: "not a JSON object"}
		}
		return &RejectedError{Reason: s.Err().Error()}
	}
	size := len(`{}`) - len(`,`) // the first member has no comma
	for s.Open(jsonscan.Object); s.More(); {
		quoted := s.Name()
		value := s.Value()
		name := quoted.Text()
		field := names.field(name)
		if field < 0 {
			c.extra = append(c.extra, member{name, quoted.Raw, value.Raw})
			size += len(quoted.Raw) + len(value.Raw) + len(`:,`)
			continue
		}
		if c.seen[field] {
			return &RejectedError{c.layout.fields[field].name, duplicate}
		}
		c.seen[field] = true
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
	unknown    = "unknown"
	duplicate  = "duplicate"
	tooLong    = "too long"
	notAString = "not a string"
	notATime   = "neither RFC 3339 nor milliseconds since 1970"
)

// recordType returns the declaration of the record's type.
func (c *Converter) recordType(source telemetryschema.Source) (*recordType, error) {
	value := c.values[fieldType]
	if value.Kind == 0 {
		return nil, &RejectedError{"type", missing}
	}
	if value.Kind != jsonscan.String {
		return nil, &RejectedError{"type", unknown}
	}
	found := c.layout.types[string(value.Text())]
	if found == nil {
		return nil, &RejectedError{"type", unknown}
	}
	if found.Source != source {
		return nil, &RejectedError{"type", "not allowed for a " + string(source)}
	}
	return found, nil
}

// timestamp returns the record's time in milliseconds since 1970.
func (c *Converter) timestamp(source telemetryschema.Source, receivedAt int64) (int64, error) {
	value := c.values[fieldAt]
	if value.Kind == 0 {
		if source == telemetryschema.Device { // a device may have no clock
			return receivedAt, nil
		}
		return 0, &RejectedError{"at", missing}
	}
	at, ok := milliseconds(value)
	switch {
	case !ok:
		return 0, &RejectedError{"at", notATime}
	case at < receivedAt-maxAge.Milliseconds():
		return 0, &RejectedError{"at", "more than 30 days before it was received"}
	case at > receivedAt+maxAhead.Milliseconds():
		return 0, &RejectedError{"at", "more than a day after it was received"}
	}
	return at, nil
}

// milliseconds returns a time in milliseconds since 1970: of a string in RFC 3339, or a number.
func milliseconds(value jsonscan.Value) (at int64, ok bool) {
	if value.Kind != jsonscan.String {
		return value.Int()
	}
	var parsed time.Time
	if parsed.UnmarshalText(value.Text()) != nil {
		return 0, false
	}
	return parsed.UnixMilli(), true
}

// validate checks the other fields, and that the required ones are present.
func (c *Converter) validate(required []int) error {
	id := c.values[fieldID]
	if id.Kind == 0 {
		return &RejectedError{"id", missing}
	}
	if id.Kind != jsonscan.String {
		return &RejectedError{"id", notAString}
	}
	text := id.Text()
	if len(text) > MaxID {
		return &RejectedError{"id", tooLong}
	}
	for _, b := range text {
		if b <= ' ' || b > '~' {
			return &RejectedError{"id", "not visible ASCII"}
		}
	}
	for i := firstColumn; i < len(c.values); i++ {
		if c.values[i].Kind == 0 {
			continue
		}
		if reason := c.validateColumn(i); reason != "" {
			return &RejectedError{c.layout.fields[i].name, reason}
		}
	}
	for _, field := range required {
		if c.values[field].Kind == 0 {
			return &RejectedError{c.layout.fields[field].name, missing}
		}
	}
	return nil
}

// validateColumn returns the reason why the value of a column's field is invalid, or "".
func (c *Converter) validateColumn(i int) (reason string) {
	switch value := c.values[i]; c.layout.fields[i].kind {
	case telemetryschema.String:
		switch {
		case value.Kind != jsonscan.String:
			return notAString
		case len(value.Raw) > MaxText+len(`""`) && len(value.Text()) > MaxText:
			return tooLong
		}
	case telemetryschema.Double:
		switch {
		case value.Kind != jsonscan.Number:
			return "not a number"
		case !finite(value.Raw):
			return "not finite"
		}
	case telemetryschema.Bigint:
		if _, ok := value.Int(); !ok {
			return "not a whole number of 64 bits"
		}
	case telemetryschema.Boolean:
		if value.Kind != jsonscan.True && value.Kind != jsonscan.False {
			return "neither true nor false"
		}
	case telemetryschema.Timestamp:
		at, ok := milliseconds(value)
		if !ok || at < year1 || at >= year10000 {
			return notATime
		}
		c.times[i] = at
	}
	return ""
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
	var message telemetryschema.Message
	if err := json.Unmarshal(record, &message); err != nil {
		return nil, errNotAMessage
	}
	if message.Requeued >= MaxRequeues {
		return nil, &RejectedError{Reason: "requeued too often"}
	}
	message.Requeued++
	return json.Marshal(message)
}
