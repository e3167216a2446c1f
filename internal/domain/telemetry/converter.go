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

	maxThing = 128
	maxExtra = 64 << 10

	// By how much the clock of who sends a reading may differ from ours. A device that was offline sends what it took meanwhile.
	oldest = 30 * 24 * time.Hour
	newest = 24 * time.Hour

	// In milliseconds since 1970: the table's times have four digits for the year.
	year10000 = 253_402_300_800_000

	// MaxReingested is how often a record may be put back into the stream.
	MaxReingested = 5
)

// ErrDropped says that a reading is of a type that is declared as droppable.
var ErrDropped = errors.New("of a type that is dropped")

// A Refusal says why no row is made of a record. It repeats nothing of what the record has.
type Refusal struct {
	Field  string // of the payload; empty when it is not about one
	Reason string
}

func (r *Refusal) Error() string {
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

// names are the fields' as they are in a payload and in the table.
var names = [fields]string{"id", "type", "at", "client", "session", "post", "firmware", "temperature", "battery"}

// sources say which fields only a device has, and which only a client: from others they go into the column extra, so that nobody
// counts for what he is not. All have those that are empty here.
var sources = [fields + 1]Source{
	fieldClient: Client, fieldSession: Client, fieldPost: Client, fieldFirmware: Device, fieldTemperature: Device, fieldBattery: Device,
}

// A kind is a Type with what is required of it by number.
type kind struct {
	Type
	required []int
}

// kinds are the Types by their names.
var kinds = func() map[string]kind {
	kinds := map[string]kind{}
	for _, declared := range Types {
		k := kind{Type: declared}
		for _, name := range declared.Required {
			field := slices.Index(names[:], name)
			if field < 0 {
				panic(fmt.Errorf("readings: the type %s requires %s, which no payload has", declared.Name, name))
			}
			k.required = append(k.required, field)
		}
		kinds[declared.Name] = k
	}
	return kinds
}()

// A Converter makes rows of records. It keeps what it needs for one, to use it again for the next: no two goroutines may use
// it at a time.
type Converter struct {
	data   []byte // the payload
	values [fields]jsonscan.Value
	extra  []member // what the payload has besides
	days   days
}

// A member is a field that has no column, as it is written.
type member struct {
	name   []byte // what it says
	quoted []byte // how it is written
	value  []byte
}

// Append appends the row to row that a record of the stream becomes: the columns of [Reading] that it has, as a JSON object that
// the OpenX JSON SerDe reads. arrived is when the stream got the record.
//
// The error is [ErrDropped] or a [*Refusal]. Then nothing is appended.
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
	kind, err := c.kind(source)
	if err != nil {
		return row, Partition{}, err
	}
	at, err := c.taken(source, message.receivedAt)
	if err != nil {
		return row, Partition{}, err
	}
	if err := c.check(kind.required); err != nil {
		return row, Partition{}, err
	}
	if kind.Droppable {
		return row, Partition{}, ErrDropped
	}

	row = append(row, `{"id":`...)
	row = append(row, c.values[fieldID].Raw...)
	row = append(row, `,"at":"`...)
	row = c.days.append(row, at)
	partition := Partition{Type: kind.Name, Day: c.days.day}
	row = append(row, `","received_at":"`...)
	row = c.days.append(row, message.receivedAt)
	row = append(row, `","ingested_at":"`...)
	row = c.days.append(row, arrived.UnixMilli())
	row = append(row, '"')
	if source == Device {
		row = append(row, `,"device":"`...)
		row = append(row, message.device...) // has nothing to escape
		row = append(row, '"')
	}
	for field := fieldClient; field < fields; field++ {
		if value := c.values[field]; value.Kind != 0 {
			row = append(row, `,"`...)
			row = append(row, names[field]...)
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

var errNoMessage = &Refusal{Reason: "not a message of the rule or the API"}

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
		return e, errNoMessage
	}
	var ok bool
	if e.receivedAt, ok = receivedAt.Int(); !ok || e.receivedAt <= 0 || e.receivedAt >= year10000 {
		return e, errNoMessage
	}
	if c.data, err = base64.StdEncoding.AppendDecode(c.data[:0], data.Text()); err != nil {
		return e, errNoMessage
	}
	if topic.Kind == 0 || len(topic.Raw) == len(`""`) {
		return e, nil
	}
	if e.device, ok = thing(topic.Text()); !ok {
		return e, &Refusal{Reason: "a topic without a thing"}
	}
	return e, nil
}

// thing is the name of the thing that publishes to a topic: the segment before the last. What names there are, "CreateThing" in
// the AWS IoT API Reference says.
func thing(topic []byte) (name []byte, ok bool) {
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
	return name, len(name) > 0 && len(name) <= maxThing
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
			return &Refusal{Reason: "not an object"}
		}
		return &Refusal{Reason: s.Err().Error()}
	}
	var seen [fields]bool
	size := len(`{}`) - len(`,`) // the first has none
	for s.Open(jsonscan.Object); s.More(); {
		quoted := s.Name()
		value := s.Value()
		name := quoted.Text()
		field := fieldOf(name)
		if field == fields || sources[field] != "" && sources[field] != source {
			c.extra = append(c.extra, member{name, quoted.Raw, value.Raw})
			size += len(quoted.Raw) + len(value.Raw) + len(`:,`)
			continue
		}
		if seen[field] {
			return &Refusal{names[field], twice}
		}
		seen[field] = true
		if value.Kind != jsonscan.Null && string(value.Raw) != `""` { // both of which are as good as nothing
			c.values[field] = value
		}
	}
	s.End()
	if s.Err() != nil {
		return &Refusal{Reason: s.Err().Error()}
	}
	if size > maxExtra {
		return &Refusal{Reason: "too much that has no column"}
	}
	slices.SortFunc(c.extra, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	for i := 1; i < len(c.extra); i++ {
		if bytes.Equal(c.extra[i].name, c.extra[i-1].name) {
			return &Refusal{Reason: "a name " + twice}
		}
	}
	return nil
}

// What may be said of any field.
const (
	missing = "missing"
	twice   = "twice"
	tooLong = "too long"
)

// fieldOf is the field of that name, or fields when there is none.
func fieldOf(name []byte) int {
	for field := range names {
		if string(name) == names[field] {
			return field
		}
	}
	return fields
}

// kind is the declaration of the reading's type.
func (c *Converter) kind(source Source) (kind, error) {
	value := c.values[fieldType]
	if value.Kind == 0 {
		return kind{}, &Refusal{names[fieldType], missing}
	}
	var found kind
	if value.Kind == jsonscan.String {
		found = kinds[string(value.Text())]
	}
	if found.Name == "" {
		return kind{}, &Refusal{names[fieldType], "unknown"}
	}
	if found.Source != source {
		return kind{}, &Refusal{names[fieldType], "not for a " + string(source)}
	}
	return found, nil
}

// taken is when the reading was taken, in milliseconds since 1970.
func (c *Converter) taken(source Source, receivedAt int64) (int64, error) {
	var at int64
	switch value := c.values[fieldAt]; value.Kind {
	case 0:
		if source == Device { // which may have no clock
			return receivedAt, nil
		}
		return 0, &Refusal{names[fieldAt], missing}
	case jsonscan.String:
		var parsed time.Time
		if parsed.UnmarshalText(value.Text()) != nil {
			return 0, &Refusal{names[fieldAt], "neither RFC 3339 nor milliseconds"}
		}
		at = parsed.UnixMilli()
	default:
		var ok bool
		if at, ok = value.Int(); !ok {
			return 0, &Refusal{names[fieldAt], "neither RFC 3339 nor milliseconds"}
		}
	}
	switch {
	case at < receivedAt-oldest.Milliseconds():
		return 0, &Refusal{names[fieldAt], "too long ago"}
	case at > receivedAt+newest.Milliseconds():
		return 0, &Refusal{names[fieldAt], "in the future"}
	}
	return at, nil
}

// check holds the other fields against what they may be, and what the type requires.
func (c *Converter) check(required []int) error {
	id := c.values[fieldID]
	if id.Kind == 0 {
		return &Refusal{names[fieldID], missing}
	}
	if id.Kind != jsonscan.String {
		return &Refusal{names[fieldID], "not text"}
	}
	text := id.Text()
	if len(text) > MaxID {
		return &Refusal{names[fieldID], tooLong}
	}
	for _, b := range text {
		if b <= ' ' || b > '~' {
			return &Refusal{names[fieldID], "not visible ASCII"}
		}
	}
	for field := fieldClient; field <= fieldFirmware; field++ {
		switch value := c.values[field]; {
		case value.Kind == 0:
		case value.Kind != jsonscan.String:
			return &Refusal{names[field], "not text"}
		case len(value.Raw) > MaxText+len(`""`) && len(value.Text()) > MaxText:
			return &Refusal{names[field], tooLong}
		}
	}
	for field := fieldTemperature; field <= fieldBattery; field++ {
		switch value := c.values[field]; {
		case value.Kind == 0:
		case value.Kind != jsonscan.Number:
			return &Refusal{names[field], "not a number"}
		case !finite(value.Raw):
			return &Refusal{names[field], "not finite"}
		}
	}
	for _, field := range required {
		if c.values[field].Kind == 0 {
			return &Refusal{names[field], missing}
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

// days writes times, and remembers the day of the last one: most have the same.
type days struct {
	number int64 // days since 1970
	day    string
}

const msPerDay = int64(24 * time.Hour / time.Millisecond)

// append appends a time in milliseconds since 1970 as the OpenX JSON SerDe reads it, in UTC: "Convert input data format in
// Amazon Data Firehose" in the Amazon Data Firehose Developer Guide.
func (d *days) append(row []byte, at int64) []byte {
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

// Again is a record as it goes back into the stream: once more reingested. The error is a [*Refusal] when it has been there too
// often, and may be put back no more.
func Again(record []byte) ([]byte, error) {
	var message Message
	if err := json.Unmarshal(record, &message); err != nil {
		return nil, errNoMessage
	}
	if message.Reingested >= MaxReingested {
		return nil, &Refusal{Reason: "put back too often"}
	}
	message.Reingested++
	return json.Marshal(message)
}
