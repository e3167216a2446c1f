package main

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/adapters/snstopic"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
)

// publisher records the last message.
type publisher struct{ last *sns.PublishInput }

func (p *publisher) Publish(
	_ context.Context, input *sns.PublishInput, _ ...func(*sns.Options),
) (*sns.PublishOutput, error) {
	p.last = input
	return &sns.PublishOutput{}, nil
}

func TestNotifier(t *testing.T) {
	published := new(publisher)
	n := &notifier{
		topic:    &snstopic.Topic[message]{ARN: "topic", API: published},
		prefixes: []string{"temp/", "mine/"},
	}
	for name, test := range map[string]struct {
		event        thumbnails.Event
		json, prefix string
	}{
		"thumbnails": {
			event: thumbnails.Event{
				Key: "mine/a", ETag: "e", Sequencer: "1",
				Thumbnails: []thumbnails.Thumbnail{
					{Key: "mine/a/320.jpg", Width: 320, Height: 200},
				},
			},
			json: `{"key":"mine/a","removed":false,"eTag":"e","sequencer":"1",` +
				`"thumbnails":[{"key":"mine/a/320.jpg","width":320,"height":200}]}`,
			prefix: "mine",
		},
		// The original exists, but is no picture.
		"an original without thumbnails": {
			event: thumbnails.Event{Key: "temp/a", ETag: "e", Sequencer: "1"},
			json: `{"key":"temp/a","removed":true,"eTag":"e","sequencer":"1",` +
				`"thumbnails":[]}`,
			prefix: "temp",
		},
		"a key without a prefix": {
			event:  thumbnails.Event{Key: "mine"},
			json:   `{"key":"mine","removed":true,"thumbnails":[]}`,
			prefix: "other",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := n.Notify(t.Context(), test.event); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.json, *published.last.Message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			prefix := *published.last.MessageAttributes["prefix"].StringValue
			if prefix != test.prefix {
				t.Errorf("prefix %q, want %q", prefix, test.prefix)
			}
		})
	}
}
