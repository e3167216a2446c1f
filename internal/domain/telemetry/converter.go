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

// What a reading may have. All lengths are in bytes.
const (
	MaxID   = 64  // of its id, which is visible ASCII
	MaxText = 256 // of what its other columns have

	maxThingName = 128
	maxExtra     = 64 << 10

	// By how much the clock of who sends a reading may differ from ours. A device that was offline sends what it took meanwhile.
	maxAge   = 30 * 24 * time.Hour
	maxAhead = 24 * time.Hour

	// In milliseconds since 1970: the table's times have four digits for the year.
	year10000 = 253_402_300_800_000

	// MaxRequeues is how often a record may be put back into the stream.
	MaxRequeues = 5
)

// ErrDiscarded says that a record is of a type that is discarded.
var ErrDiscarded = errors.New("of a type that is discarded")

// A RejectedError says why no row is made of a record. It repeats nothing of what the record has.
type RejectedError struct {
	Field  string // of the payload; empty when it is not about one
	Reason string
}

func (r *RejectedError) Error() string {
	if r.Field == "" {
		return r.Reason
	}
	return r.Field + ": " + r.Reason
}

// A Partition is where in the table a row belongs.
type Partition struct {
	Type string
	Day  string // 2026-11-21: the day of the reading in UTC
}

// The fields of a payload. All others go into the column extra.
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

// fieldNames are the fields' as they are in a payload and in the table.
var fieldNames = [fields]string{"id", "type", "at", "client", "session", "post", "firmware", "temperature", "battery"}

// fieldSources say which fields only a device has, and which only a client: from others they go into the column extra, so that nobody
// counts for what he is not. All have those that are empty here.
var fieldSources = [fields + 1]Source{
	fieldClient: Client, fieldSession: Client, fieldPost: Client, fieldFirmware: Device, fieldTemperature: Device, fieldBattery: Device,
}

// A recordType is a Type with what is required of it by number.
type recordType struct {
	Type
	required []int
}

// recordTypes are the Types by their names.
var recordTypes = func() map[string]recordType {
	types := map[string]recordType{}
	for _, declared := range Types {
		k := recordType{Type: declared}
		for _, name := range declared.Required {
			field := slices.Index(fieldNames[:], name)
			if field < 0 {
				panic(fmt.Errorf("telemetry: the type %s requires %s, which no payload has", declared.Name, name))
			}
			k.required = append(k.required, field)
		}
		types[declared.Name] = k
	}
	return types
}()

// A Converter makes rows of records. It keeps what it needs for one, to use it again for the next: no two goroutines may use
// it at a time.
type Converter struct {
	data       []byte // the payload
	values     [fields]jsonscan.Value
	extra      []member // what the payload has besides
	timestamps timestampWriter
}

// A member is a field that has no column, as it is written.
type member struct {
	name   []byte // what it says
	quoted []byte // how it is written
	value  []byte
}

// Append appends the row to row that a record of the stream becomes: the columns of [Record] that it has, as a JSON object that
// the OpenX JSON SerDe reads. arrived is when the stream got the record.
//
// The error is [ErrDiscarded] or a [*RejectedError]. Then nothing is appended.
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
		row = append(row, message.device...) // has nothing to escape
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

// appendQuoted appends text, which is JSON, as it is in a JSON string. The only control characters in JSON are space around values, which
// can go.
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

// An envelope is what is read of a Message. Its payload is in the Converter.
type envelope struct {
	device     []byte // nil: of a client
	receivedAt int64
}

var errNotAMessage = &RejectedError{Reason: "not a message of the rule or the API"}

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
	if s.Err() != nil || data.Kind != jsonscan.String || topic.Kind != 0 && topic.Kind != jsonscan.String {
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
		return e, &RejectedError{Reason: "a topic without a thing"}
	}
	return e, nil
}

// thingName is the name of the thing that publishes to a topic: the segment before the last. What names there are, "CreateThing" in
// the AWS IoT API Reference says.
func thingName(topic []byte) (name []byte, ok bool) {
	end := bytes.LastIndexByte(topic, '/')
	if end < 0 {
		return nil, false
	}
	name = topic[bytes.LastIndexByte(topic[:end], '/')+1 : end]
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != ':' && c != '_' && c != '-' {
			return nil, false
		}
	}
	return name, len(name) > 0 && len(name) <= maxThingName
}

// payload reads the fields of the payload.
func (c *Converter) payload(source Source) error {
	c.values = [fields]jsonscan.Value{}
	c.extra = c.extra[:0]
	s := jsonscan.New(c.data)
	if s.Kind() != jsonscan.Object {
		s.Value()
		s.End()
		if s.Err() == nil {
			return &RejectedError{Reason: "not an object"}
		}
		return &RejectedError{Reason: s.Err().Error()}
	}
	var seen [fields]bool
	size := len(`{}`) - len(`,`) // the first has none
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
		if value.Kind != jsonscan.Null && string(value.Raw) != `""` { // both of which are as good as nothing
			c.values[field] = value
		}
	}
	s.End()
	if s.Err() != nil {
		return &RejectedError{Reason: s.Err().Error()}
	}
	if size > maxExtra {
		return &RejectedError{Reason: "too much that has no column"}
	}
	slices.SortFunc(c.extra, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	for i := 1; i < len(c.extra); i++ {
		if bytes.Equal(c.extra[i].name, c.extra[i-1].name) {
			return &RejectedError{Reason: "a name " + duplicate}
		}
	}
	return nil
}

// What may be said of any field.
const (
	missing   = "missing"
	duplicate = "twice"
	tooLong   = "too long"
)

// fieldOf is the field of that name, or fields when there is none.
func fieldOf(name []byte) int {
	for field := range fieldNames {
		if string(name) == fieldNames[field] {
			return field
		}
	}
	return fields
}

// recordType is the declaration of the reading's type.
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
		return recordType{}, &RejectedError{fieldNames[fieldType], "not for a " + string(source)}
	}
	return found, nil
}

// timestamp is when the reading was taken, in milliseconds since 1970.
func (c *Converter) timestamp(source Source, receivedAt int64) (int64, error) {
	var at int64
	switch value := c.values[fieldAt]; value.Kind {
	case 0:
		if source == Device { // which may have no clock
			return receivedAt, nil
		}
		return 0, &RejectedError{fieldNames[fieldAt], missing}
	case jsonscan.String:
		var parsed time.Time
		if parsed.UnmarshalText(value.Text()) != nil {
			return 0, &RejectedError{fieldNames[fieldAt], "neither RFC 3339 nor milliseconds"}
		}
		at = parsed.UnixMilli()
	default:
		var ok bool
		if at, ok = value.Int(); !ok {
			return 0, &RejectedError{fieldNames[fieldAt], "neither RFC 3339 nor milliseconds"}
		}
	}
	switch {
	case at < receivedAt-maxAge.Milliseconds():
		return 0, &RejectedError{fieldNames[fieldAt], "too long ago"}
	case at > receivedAt+maxAhead.Milliseconds():
		return 0, &RejectedError{fieldNames[fieldAt], "in the future"}
	}
	return at, nil
}

// validate holds the other fields against what they may be, and what the type requires.
func (c *Converter) validate(required []int) error {
	id := c.values[fieldID]
	if id.Kind == 0 {
		return &RejectedError{fieldNames[fieldID], missing}
	}
	if id.Kind != jsonscan.String {
		return &RejectedError{fieldNames[fieldID], "not text"}
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
			return &RejectedError{fieldNames[field], "not text"}
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

// finite tells whether a number is one in 64 bits.
func finite(number []byte) bool {
	if len(number) < 300 && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return true // of fewer digits than the largest has
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}

// timestampWriter writes times, and remembers the day of the last one: most have the same.
type timestampWriter struct {
	number int64 // days since 1970
	day    string
}

const msPerDay = int64(24 * time.Hour / time.Millisecond)

// append appends a time in milliseconds since 1970 as the OpenX JSON SerDe reads it, in UTC: "Convert input data format in
// Amazon Data Firehose" in the Amazon Data Firehose Developer Guide.
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

// appendDigits appends a number with as many digits as unit has, zeros too.
func appendDigits(row []byte, n, unit int64) []byte {
	for ; unit > 0; unit /= 10 {
		row = append(row, byte('0'+n/unit%10))
	}
	return row
}

// Requeue returns a record as it goes into the stream again: once more requeued. The error is a [*RejectedError] when it has been there too
// often, and may be put back no more.
func Requeue(record []byte) ([]byte, error) {
	var message Message
	if err := json.Unmarshal(record, &message); err != nil {
		return nil, errNotAMessage
	}
	if message.Requeued >= MaxRequeues {
		return nil, &RejectedError{Reason: "put back too often"}
	}
	message.Requeued++
	return json.Marshal(message)
}
