package mailinglisttable_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/mailinglisttable"
)

func TestNewItem(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 5_000_000, time.FixedZone("KST", 9*60*60))
	const id = "0193ad45-1f3c-7e8e-b1f5-2a3c4d5e6f70"
	want := map[string]any{
		"Address": "ada@example.com", "Kind": "subscription", "ID": id, "To": "Ada@Example.com",
		"CreatedAt": "2026-12-01T00:00:00.005Z", "Unsent": "yes",
	}
	for _, kind := range []mailinglisttable.Kind{
		mailinglisttable.Subscribed, mailinglisttable.Pending,
	} {
		if kind == mailinglisttable.Pending {
			want["Kind"], want["ExpiresAt"] = "pending", float64(now.Unix()+24*60*60)
		}
		item := mailinglisttable.NewItem(kind, id, "Ada@Example.com", now)
		attributes, err := attributevalue.MarshalMap(item)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := attributevalue.UnmarshalMap(attributes, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
		var read mailinglisttable.Item
		if err := attributevalue.UnmarshalMap(attributes, &read); err != nil || read != item {
			t.Errorf("read %+v, %v, want %+v", read, err, item)
		}
	}
}
