package handler

import (
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/telemetry/jsonscan"
)

// A record is a record of Firehose's event, with only the fields that are needed here. The events
// of aws-lambda-go have all of them.
type record struct {
	id      jsonscan.Value
	data    jsonscan.Value // in base64
	arrived time.Time      // when the stream received it
}

var errNoID = errors.New("invalid event: a record without recordId")

// decode reads an event. Records with the same id are the same record: Firehose expects one result
// per id, so the id gets one.
func decode(payload []byte, now time.Time) (records []record, repeated int, err error) {
	s := jsonscan.New(payload)
	for s.Open(jsonscan.Object); s.More(); {
		if string(s.Name().Text()) != "records" {
			s.Value()
			continue
		}
		records = nil // of duplicate names, the last one counts
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
		return nil, 0, fmt.Errorf("invalid event: %w", s.Err())
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
		case "kinesisRecordMetadata": // set by Firehose when its source is a stream
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
