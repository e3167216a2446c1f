package handler

import (
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
)

// A record is one that Firehose hands over, in what is read of it. The events of aws-lambda-go have all of it.
type record struct {
	id      jsonscan.Value
	data    jsonscan.Value // in base64
	arrived time.Time      // in the stream
}

var errNoID = errors.New("a record of the event has no recordId")

// decode reads an event. A record whose id has been there before is the same record: Firehose knows one of that name, and is
// answered once.
func decode(payload []byte, now time.Time) (records []record, repeated int, err error) {
	s := jsonscan.New(payload)
	for s.Open(jsonscan.Object); s.More(); {
		if string(s.Name().Text()) != "records" {
			s.Value()
			continue
		}
		records = nil // of a name that comes twice, the last counts
		if s.Kind() != jsonscan.Array {
			s.Value()
			continue
		}
		for s.Open(jsonscan.Array); s.More(); {
			records = append(records, decodeRecord(&s, now))
		}
	}
	s.End()
	if s.Err() != nil {
		return nil, 0, fmt.Errorf("the event cannot be read: %w", s.Err())
	}
	seen := make(map[string]struct{}, len(records))
	unique := records[:0]
	for _, r := range records {
		id := string(r.id.Text())
		if id == "" {
			return nil, 0, errNoID
		}
		if _, ok := seen[id]; ok {
			repeated++
			continue
		}
		seen[id] = struct{}{}
		unique = append(unique, r)
	}
	return unique, repeated, nil
}

func decodeRecord(s *jsonscan.Scanner, now time.Time) record {
	var r record
	var inStream, inFirehose jsonscan.Value
	for s.Open(jsonscan.Object); s.More(); {
		switch string(s.Name().Text()) {
		case "recordId":
			r.id = s.Value()
		case "data":
			r.data = s.Value()
		case "approximateArrivalTimestamp":
			inFirehose = s.Value()
		case "kinesisRecordMetadata": // Firehose puts it there when it reads a stream
			inStream = jsonscan.Value{}
			if s.Kind() != jsonscan.Object {
				s.Value()
				continue
			}
			for s.Open(jsonscan.Object); s.More(); {
				if name := s.Name(); string(name.Text()) == "approximateArrivalTimestamp" {
					inStream = s.Value()
				} else {
					s.Value()
				}
			}
		default:
			s.Value()
		}
	}
	r.arrived = now
	for _, at := range []jsonscan.Value{inFirehose, inStream} {
		if ms, ok := at.Int(); ok {
			r.arrived = time.UnixMilli(ms)
		}
	}
	return r
}
