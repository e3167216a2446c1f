// Package dynamodbstore stores the mailing list in DynamoDB.
//
// Its items are [mailinglisttable.Item]. Every method is idempotent: when a response is lost, its
// caller or the SDK may repeat the call, which detects what was already done and has the same
// result.
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
	"github.com/ashlar-cdk/ashlar/mailinglisttable"
)

// API is the part of DynamoDB's API that this package calls. [dynamodb.Client] implements it.
type API interface {
	GetItem(
		context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options),
	) (*dynamodb.GetItemOutput, error)
	PutItem(
		context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options),
	) (*dynamodb.PutItemOutput, error)
	UpdateItem(
		context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options),
	) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(
		context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options),
	) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(
		context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options),
	) (*dynamodb.TransactWriteItemsOutput, error)
	Query(
		context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options),
	) (*dynamodb.QueryOutput, error)
}

// MailingList is the table of subscriptions and suppressions. Its methods fail with
// [retry.ErrUnavailable] when DynamoDB is unavailable or throttles the call.
type MailingList struct {
	Table string
	API   API
}

// newItem returns the item of a new subscription.
func newItem(s mailinglist.Subscription) mailinglisttable.Item {
	item := mailinglisttable.NewItem(
		mailinglisttable.Kind(s.Kind), s.ID.String(), string(s.To), s.CreatedAt)
	item.Address, item.Language, item.Link = s.Address, s.Language, s.Link
	return item
}

// expired reports whether the item has expired, though DynamoDB may take days to delete it.
func expired(item *mailinglisttable.Item, now time.Time) bool {
	return item.ExpiresAt != 0 && item.ExpiresAt <= now.Unix()
}

// subscription converts an item. Its times are precise to the millisecond.
func subscription(item *mailinglisttable.Item) (mailinglist.Subscription, error) {
	id, err := uuid.Parse(item.ID)
	if err != nil {
		return mailinglist.Subscription{}, fmt.Errorf("invalid ID in the table: %w", err)
	}
	created, err := time.Parse(mailinglisttable.TimeLayout, item.CreatedAt)
	if err != nil {
		return mailinglist.Subscription{}, fmt.Errorf("invalid CreatedAt in the table: %w", err)
	}
	return mailinglist.Subscription{
		Key: mailinglist.Key{
			Address: item.Address, Kind: mailinglist.Kind(item.Kind), ID: id,
		},
		To: email.Address(item.To), Language: item.Language, Link: item.Link, CreatedAt: created,
	}, nil
}

// get returns an item by a consistent read, or nil when it does not exist.
func (l *MailingList) get(
	ctx context.Context, address string, kind mailinglist.Kind,
) (*mailinglisttable.Item, error) {
	found, err := l.API.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.Table, Key: key(address, kind), ConsistentRead: aws.Bool(true),
	}, callOptions)
	if err != nil {
		return nil, awsclient.Wrap("look up an address", err)
	}
	return decode(found.Item)
}

// decode returns nil for no item.
func decode(attributes map[string]types.AttributeValue) (*mailinglisttable.Item, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	item := new(mailinglisttable.Item)
	if err := attributevalue.UnmarshalMap(attributes, item); err != nil {
		return nil, fmt.Errorf("decode an item: %w", err)
	}
	return item, nil
}

func encode(item mailinglisttable.Item) (map[string]types.AttributeValue, error) {
	attributes, err := attributevalue.MarshalMap(item)
	if err != nil {
		return nil, fmt.Errorf("encode an item: %w", err)
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

// failedCondition reports whether err is a failed condition of a write, and returns the existing
// item.
func failedCondition(err error) (existing map[string]types.AttributeValue, failed bool) {
	failure, failed := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !failed {
		return nil, false
	}
	return failure.Item, true
}

// wrap is [awsclient.Wrap] that also knows conflicts of transactions.
func wrap(action string, err error) error {
	if isTransactionConflict(err) {
		return fmt.Errorf("%s: %w: %w", action, retry.ErrUnavailable, err)
	}
	return awsclient.Wrap(action, err)
}

// isTransactionConflict reports whether err is a conflict with a transaction on the same item, or a
// transaction that was canceled for a conflict or for lack of capacity: "TransactWriteItems" in the
// Amazon DynamoDB API Reference.
func isTransactionConflict(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return false
	}
	temporary := func(reason types.CancellationReason) bool {
		switch aws.ToString(reason.Code) {
		case "TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError":
			return true
		}
		return false
	}
	return slices.ContainsFunc(canceled.CancellationReasons, temporary)
}

// callOptions are the options of every call.
//
// By default, the SDK does not retry a conflict with a transaction, which ends at once; two clicks
// on one button are enough to cause one. And it takes a missing checksum for a wrong one:
// DynamoDB's errors have none, so the SDK would log a line for each, which is not JSON
// (aws-sdk-go-v2, issue 3545). TLS protects responses without it.
func callOptions(options *dynamodb.Options) {
	options.Retryer = transactionRetryer{options.Retryer}
	options.DisableValidateResponseChecksum = true
}

type transactionRetryer struct{ aws.Retryer }

func (p transactionRetryer) IsErrorRetryable(err error) bool {
	return isTransactionConflict(err) || p.Retryer.IsErrorRetryable(err)
}
