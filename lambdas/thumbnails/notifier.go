package main

import (
	"context"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/adapters/snstopic"
	"github.com/ashlar-cdk/ashlar/internal/domain/thumbnails"
	"github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
)

// A notifier publishes the domain's events as the contract defines them.
type notifier struct {
	topic    *snstopic.Topic[message]
	prefixes []string // values of the attribute prefix, each with a slash at the end
}

// Notify implements [thumbnails.Notifier].
func (n *notifier) Notify(ctx context.Context, event thumbnails.Event) error {
	published := message{
		ThumbnailEvent: contract.ThumbnailEvent{
			Key:        event.Key,
			Removed:    len(event.Thumbnails) == 0,
			ETag:       event.ETag,
			Sequencer:  event.Sequencer,
			Thumbnails: []contract.Thumbnail{},
		},
		prefix: contract.OtherPrefix,
	}
	for _, thumbnail := range event.Thumbnails {
		published.Thumbnails = append(published.Thumbnails, contract.Thumbnail(thumbnail))
	}
	for _, prefix := range n.prefixes {
		if strings.HasPrefix(event.Key, prefix) {
			published.prefix = strings.TrimSuffix(prefix, "/")
		}
	}
	return n.topic.Notify(ctx, published)
}

// A message is an event with its attribute, which is not part of the JSON.
type message struct {
	contract.ThumbnailEvent

	prefix string
}

// Attributes implements [snstopic.Message].
func (m message) Attributes() map[string]string {
	return map[string]string{contract.PrefixAttribute: m.prefix}
}
