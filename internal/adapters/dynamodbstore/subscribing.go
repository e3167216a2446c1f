package dynamodbstore

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

// Subscribe puts s, pending or not, unless the address has one of its kind already, or is subscribed: then it changes
// nothing and is no error either, so that nobody learns by it who is subscribed.
//
// Somebody may confirm an earlier one between the look at the subscription and the writing of a pending one. Then there are
// both, and one mail too many goes out; a transaction would save it, and fail as often as two meet.
func (l *MailingList) Subscribe(ctx context.Context, s mailinglist.Subscription) error {
	if s.Kind == mailinglist.Pending {
		if subscribed, err := l.get(ctx, s.Address, mailinglist.Subscribed); err != nil || subscribed != nil {
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
		there, refused := failedCondition(err)
		if !refused {
			return wrap("subscribe", err)
		}
		old, err := decode(there)
		if err != nil {
			return err
		}
		if old == nil || !old.expired(s.CreatedAt) {
			return nil // maybe ours, of which we did not hear
		}
		// Written over, it would be a change in the stream and nothing new, which gets no mail.
		if err := l.remove(ctx, s.Address, s.Kind, old.ID); err != nil {
			return err
		}
	}
}

// Confirm makes a subscription of the pending one that has the ID of s. It is that of the pending item, with its To and
// Language, and the Link and CreatedAt of s. Confirming it again changes nothing. It fails with
// [mailinglist.ErrNotFound] when nothing of that ID is pending or subscribed: it was left, has expired by s.CreatedAt, or
// another one is in its place.
func (l *MailingList) Confirm(ctx context.Context, s mailinglist.Subscription) error {
	pending, err := l.get(ctx, s.Address, mailinglist.Pending)
	if err != nil {
		return err
	}
	if pending != nil && pending.ID == s.ID.String() && !pending.expired(s.CreatedAt) {
		s.Kind, s.To, s.Language = mailinglist.Subscribed, pending.To, pending.Language
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

// replacePending puts the subscription s in the place of the pending one, in one transaction, so that whoever leaves
// meanwhile is not subscribed after that. It tells whether the address is subscribed and nothing pending any more.
func (l *MailingList) replacePending(ctx context.Context, s mailinglist.Subscription) (bool, error) {
	attributes, err := encode(newItem(s))
	if err != nil {
		return false, err
	}
	_, err = l.API.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{
			TableName: &l.Table, Item: attributes,
			ConditionExpression: aws.String("attribute_not_exists(Address)"),
		}},
		{Delete: &types.Delete{
			TableName: &l.Table, Key: key(s.Address, mailinglist.Pending),
			ConditionExpression:       aws.String("ID = :id"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":id": text(s.ID.String())},
		}},
	}}, callOptions)
	if err == nil {
		return true, nil
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || isTransactionConflict(err) || len(canceled.CancellationReasons) != 2 {
		return false, wrap("confirm", err)
	}
	const refused = "ConditionalCheckFailed"
	switch {
	case aws.ToString(canceled.CancellationReasons[1].Code) == refused:
		return false, nil // left, replaced or confirmed meanwhile
	case aws.ToString(canceled.CancellationReasons[0].Code) == refused: // subscribed in another way
		return true, l.remove(ctx, s.Address, mailinglist.Pending, s.ID.String())
	}
	return false, wrap("confirm", err)
}

// remove deletes an item, unless it is gone or another one is in its place.
func (l *MailingList) remove(ctx context.Context, address string, kind mailinglist.Kind, id string) error {
	_, err := l.API.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &l.Table, Key: key(address, kind),
		ConditionExpression:       aws.String("ID = :id"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":id": text(id)},
	}, callOptions)
	if _, refused := failedCondition(err); refused {
		return nil
	}
	return wrap("remove what is pending", err)
}

// Unsubscribe ends the subscription of an address, and what is pending of it. A suppression stays. It is no error when there is
// neither.
func (l *MailingList) Unsubscribe(ctx context.Context, address string) error {
	// In this order: what is pending cannot become a subscription behind our back.
	for _, kind := range []mailinglist.Kind{mailinglist.Pending, mailinglist.Subscribed} {
		if _, err := l.API.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &l.Table, Key: key(address, kind)}, callOptions); err != nil {
			return wrap("leave", err)
		}
	}
	return nil
}
