// Package dynamodbstore keeps the mailing list in DynamoDB.
//
// The table's keys are Address (as [email.Address.Key] has it) and Kind. An item whose mail is not sent has the attribute
// Unsent, by which the index of that name knows it. Every method may be repeated, by its caller or by the SDK, when the
// answer was lost: it finds what it has done already, and has the same result.
package dynamodbstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
)

// API is what is called of DynamoDB. A [dynamodb.Client] is one.
type API interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// MailingList is the table of all that is kept of addresses. Its methods fail with [retry.ErrUnavailable] when DynamoDB does not
// do it for the moment.
type MailingList struct {
	Table string
	API   API
}

// unsent is the one value of the attribute Unsent. The index has one partition by that, which takes a thousand new
// subscriptions a second, far more than SES takes mails.
const unsent = "yes"

// An item is what the table has of a subscription, pending or not. A suppression has none of these but the keys and
// CreatedAt.
type item struct {
	Address   string
	Kind      mailinglist.Kind
	ID        string
	To        email.Address
	Language  string `dynamodbav:",omitempty"`
	Link      string
	CreatedAt string
	ExpiresAt int64  `dynamodbav:",omitempty"` // of a pending one, in Unix seconds: the table's time to live
	Unsent    string `dynamodbav:",omitempty"`

	// Who sends the mail, and until when nobody else may, in Unix milliseconds.
	LeaseHolder string `dynamodbav:",omitempty"`
	LeasedUntil int64  `dynamodbav:",omitempty"`
}

// timeLayout is RFC 3339 with as many digits always, so that the order of texts is that of times.
const timeLayout = "2006-01-02T15:04:05.000Z"

func newItem(s mailinglist.Subscription) item {
	i := item{
		Address: s.Address, Kind: s.Kind, ID: s.ID.String(), To: s.To, Language: s.Language, Link: s.Link,
		CreatedAt: s.CreatedAt.UTC().Format(timeLayout), Unsent: unsent,
	}
	if s.Kind == mailinglist.Pending {
		i.ExpiresAt = s.CreatedAt.Add(mailinglist.ConfirmWithin).Unix()
	}
	return i
}

// expired tells whether there is nothing any more, though DynamoDB may take days to delete it.
func (i item) expired(now time.Time) bool { return i.ExpiresAt != 0 && i.ExpiresAt <= now.Unix() }

// subscription is i as the domain has it, to the millisecond.
func (i item) subscription() (mailinglist.Subscription, error) {
	id, err := uuid.Parse(i.ID)
	if err != nil {
		return mailinglist.Subscription{}, fmt.Errorf("an ID in the table: %w", err)
	}
	created, err := time.Parse(timeLayout, i.CreatedAt)
	if err != nil {
		return mailinglist.Subscription{}, fmt.Errorf("a CreatedAt in the table: %w", err)
	}
	return mailinglist.Subscription{
		Key: mailinglist.Key{Address: i.Address, Kind: i.Kind, ID: id}, To: i.To, Language: i.Language, Link: i.Link, CreatedAt: created,
	}, nil
}

// get returns an item as it is now, or nil when there is none.
func (l *MailingList) get(ctx context.Context, address string, kind mailinglist.Kind) (*item, error) {
	found, err := l.API.GetItem(ctx, &dynamodb.GetItemInput{TableName: &l.Table, Key: key(address, kind), ConsistentRead: aws.Bool(true)}, callOptions)
	if err != nil {
		return nil, awsclient.Wrap("look an address up", err)
	}
	return decode(found.Item)
}

// decode returns nil for no item.
func decode(attributes map[string]types.AttributeValue) (*item, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	i := new(item)
	if err := attributevalue.UnmarshalMap(attributes, i); err != nil {
		return nil, fmt.Errorf("an item in the table: %w", err)
	}
	return i, nil
}

func encode(i item) (map[string]types.AttributeValue, error) {
	attributes, err := attributevalue.MarshalMap(i)
	if err != nil {
		return nil, fmt.Errorf("an item for the table: %w", err)
	}
	return attributes, nil
}

func key(address string, kind mailinglist.Kind) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"Address": text(address), "Kind": text(string(kind))}
}

func text(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }

func number(value int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(value)}
}

// failedCondition returns what stood in the way of a conditional write, and whether err is that.
func failedCondition(err error) (there map[string]types.AttributeValue, refused bool) {
	failure, refused := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !refused {
		return nil, false
	}
	return failure.Item, true
}

// wrap is [awsclient.Wrap], which does not know transactions.
func wrap(action string, err error) error {
	if isTransactionConflict(err) {
		return fmt.Errorf("%s: %w: %w", action, retry.ErrUnavailable, err)
	}
	return awsclient.Wrap(action, err)
}

// isTransactionConflict tells whether err is that a transaction was under way at the same item, or was itself in the way of
// somebody else or short of capacity: "TransactWriteItems" in the Amazon DynamoDB API Reference.
func isTransactionConflict(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	return ok && slices.ContainsFunc(canceled.CancellationReasons, func(reason types.CancellationReason) bool {
		switch aws.ToString(reason.Code) {
		case "TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError":
			return true
		}
		return false
	})
}

// callOptions are those of every call.
//
// By itself, the SDK does not try again what has met a transaction, which is over at once; two clicks on one button are
// enough for that. And it takes a missing checksum for a wrong one: errors have none, and it would log a line for each, which
// is no JSON (aws-sdk-go-v2, issue 3545). TLS guards answers without it.
func callOptions(options *dynamodb.Options) {
	options.Retryer = transactionRetryer{options.Retryer}
	options.DisableValidateResponseChecksum = true
}

type transactionRetryer struct{ aws.Retryer }

func (p transactionRetryer) IsErrorRetryable(err error) bool {
	return isTransactionConflict(err) || p.Retryer.IsErrorRetryable(err)
}
