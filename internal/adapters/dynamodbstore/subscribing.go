package dynamodbstore

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

// Subscribe stores s, pending or not. If the address already has an item of that kind or is
// subscribed, it changes nothing and is no error either: the response must not reveal who is
// subscribed.
//
// If an earlier pending subscription is confirmed after Subscribe has looked for a subscription and
// before it writes a pending one, the table has both, and one mail too many is sent. A transaction
// would avoid that, but would fail whenever two of them conflict.
func (l *MailingList) Subscribe(ctx context.Context, s mailinglist.Subscription) error {
	if s.Kind == mailinglist.Pending {
		subscribed, err := l.get(ctx, s.Address, mailinglist.Subscribed)
		if err != nil || subscribed != nil {
			return err
		}
	}
	attributes, err := encode(newItem(s))
	if err != nil {
		return err
	}
	for {
		_, err := l.API.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                           &l.Table,
			Item:                                attributes,
			ConditionExpression:                 aws.String("attribute_not_exists(Address)"),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, callOptions)
		existing, failed := failedCondition(err)
		if !failed {
			return wrap("subscribe", err)
		}
		old, err := decode(existing)
		if err != nil {
			return err
		}
		if old == nil || !expired(old, s.CreatedAt) {
			return nil // possibly from this caller, whose response was lost
		}
		// Overwriting it would be a MODIFY in the stream instead of an INSERT, and only an INSERT
		// gets a mail.
		if err := l.remove(ctx, s.Address, s.Kind, old.ID); err != nil {
			return err
		}
	}
}

// Confirm replaces the pending item that has the ID of s by a subscription. The subscription has
// the To and Language of the pending item, and the Link and CreatedAt of s. Confirming it again
// changes nothing. It fails with [mailinglist.ErrNotFound] when no item with that ID is pending or
// subscribed: the address was unsubscribed, the item has expired by s.CreatedAt, or another item
// has replaced it.
func (l *MailingList) Confirm(ctx context.Context, s mailinglist.Subscription) error {
	pending, err := l.get(ctx, s.Address, mailinglist.Pending)
	if err != nil {
		return err
	}
	if pending != nil && pending.ID == s.ID.String() && !expired(pending, s.CreatedAt) {
		s.Kind, s.To, s.Language =
			mailinglist.Subscribed, email.Address(pending.To), pending.Language
		confirmed, err := l.replacePending(ctx, s)
		if err != nil || confirmed {
			return err
		}
	}
	subscribed, err := l.get(ctx, s.Address, mailinglist.Subscribed)
	if err != nil {
		return err
	}
	if subscribed == nil || subscribed.ID != s.ID.String() {
		return mailinglist.ErrNotFound
	}
	return nil
}

// replacePending replaces the pending item by the subscription s in one transaction, so that an
// address that is unsubscribed meanwhile does not become subscribed again. It reports whether the
// address is subscribed and the pending item is gone.
func (l *MailingList) replacePending(
	ctx context.Context, s mailinglist.Subscription,
) (bool, error) {
	attributes, err := encode(newItem(s))
	if err != nil {
		return false, err
	}
	id := map[string]types.AttributeValue{":id": text(s.ID.String())}
	writes := []types.TransactWriteItem{
		{Put: &types.Put{
			TableName: &l.Table, Item: attributes,
			ConditionExpression: aws.String("attribute_not_exists(Address)"),
		}},
		{Delete: &types.Delete{
			TableName: &l.Table, Key: key(s.Address, mailinglist.Pending),
			ConditionExpression: aws.String("ID = :id"), ExpressionAttributeValues: id,
		}},
	}
	_, err = l.API.TransactWriteItems(ctx,
		&dynamodb.TransactWriteItemsInput{TransactItems: writes}, callOptions)
	if err == nil {
		return true, nil
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || isTransactionConflict(err) || len(canceled.CancellationReasons) != 2 {
		return false, wrap("confirm", err)
	}
	const failed = "ConditionalCheckFailed"
	switch {
	case aws.ToString(canceled.CancellationReasons[1].Code) == failed:
		return false, nil // unsubscribed, replaced or confirmed meanwhile
	case aws.ToString(canceled.CancellationReasons[0].Code) == failed: // subscribed meanwhile
		return true, l.remove(ctx, s.Address, mailinglist.Pending, s.ID.String())
	}
	return false, wrap("confirm", err)
}

// remove deletes an item unless it no longer exists or another item has replaced it.
func (l *MailingList) remove(
	ctx context.Context, address string, kind mailinglist.Kind, id string,
) error {
	_, err := l.API.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &l.Table, Key: key(address, kind),
		ConditionExpression:       aws.String("ID = :id"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":id": text(id)},
	}, callOptions)
	if _, failed := failedCondition(err); failed {
		return nil
	}
	return wrap("delete a pending subscription", err)
}

// Unsubscribe deletes the subscription of an address and its pending item. A suppression remains.
// It is no error when the address has neither.
func (l *MailingList) Unsubscribe(ctx context.Context, address string) error {
	// In this order, so that the pending item cannot become a subscription in between.
	for _, kind := range []mailinglist.Kind{mailinglist.Pending, mailinglist.Subscribed} {
		input := &dynamodb.DeleteItemInput{TableName: &l.Table, Key: key(address, kind)}
		if _, err := l.API.DeleteItem(ctx, input, callOptions); err != nil {
			return wrap("unsubscribe", err)
		}
	}
	return nil
}
