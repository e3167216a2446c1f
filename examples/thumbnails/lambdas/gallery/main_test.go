package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	thumbnails "github.com/ashlar-cdk/ashlar/lambdas/thumbnails/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// TestGallery runs the built function like Lambda.
func TestGallery(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, "example.com/thumbnails/lambdas/gallery"), nil)
	picture, err := json.Marshal(thumbnails.ThumbnailEvent{
		Key: "protected/cat.jpg",
		Thumbnails: []thumbnails.Thumbnail{
			{Key: "protected/cat.jpg/320.jpg", Width: 320, Height: 240},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{
		{MessageId: "good", Body: string(picture)},
		{MessageId: "bad", Body: "no JSON"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := fn.Invoke(t.Context(), event, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"batchItemFailures":[{"itemIdentifier":"bad"}]}`; string(response) != want {
		t.Errorf("response %s, want %s", response, want)
	}
	if !strings.Contains(fn.Logs(), "protected/cat.jpg") {
		t.Errorf("the log does not name the picture:\n%s", fn.Logs())
	}
}
