package dynamodbstore

import (
	"context"
	"errors"
	"iter"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/mailinglisttable"
)

// Lease gives the caller the exclusive right to send the mail of key until the given time. It fails
// with [mailinglist.ErrNotFound] when there is no mail to send: the item does not exist, has
// expired or has another ID, or its mail was sent or rejected. It fails with a [*email.LeasedError]
// when another caller has a lease at now. Times are precise to the millisecond.
func (l *MailingList) Lease(
	ctx context.Context, key mailinglist.Key, now, until time.Time,
) (mailinglist.Lease, error) {
	holder := uuid.New()
	leased, err := l.lease(ctx, key, holder, now, until)
	if err != nil {
		return mailinglist.Lease{}, err
	}
	leasedSubscription, err := subscription(leased)
	if err != nil {
		return mailinglist.Lease{}, err
	}
	return mailinglist.Lease{Subscription: leasedSubscription, Holder: holder, Until: until}, nil
}

func (l *MailingList) lease(
	ctx context.Context, of mailinglist.Key, holder uuid.UUID, now, until time.Time,
) (*mailinglisttable.Item, error) {
	updated, err := l.API.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:        &l.Table,
		Key:              key(of.Address, of.Kind),
		UpdateExpression: aws.String("SET LeaseHolder = :holder, LeasedUntil = :until"),
		ConditionExpression: aws.String(
			"ID = :id AND attribute_exists(Unsent)" +
				" AND (attribute_not_exists(ExpiresAt) OR ExpiresAt > :seconds)" +
				" AND (attribute_not_exists(LeasedUntil) OR LeasedUntil <= :now)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":id":      text(of.ID.String()),
			":holder":  text(holder.String()),
			":until":   number(until.UnixMilli()),
			":now":     number(now.UnixMilli()),
			":seconds": number(now.Unix()),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, callOptions)
	if err == nil {
		return decode(updated.Attributes)
	}
	existing, failed := failedCondition(err)
	if !failed {
		return nil, wrap("lease a mail", err)
	}
	old, err := decode(existing)
	switch {
	case err != nil:
		return nil, err
	case old == nil || old.ID != of.ID.String() || old.Unsent == "" || expired(old, now):
		return nil, mailinglist.ErrNotFound
	case old.LeaseHolder != holder.String():
		return nil, &email.LeasedError{Until: time.UnixMilli(old.LeasedUntil)}
	}
	return old, nil // the SDK has retried a call that had succeeded
}

// MarkSent records that the lease's mail was sent, and its SES message ID. It fails with
// [mailinglist.ErrNotFound] when the caller has lost the lease: the item no longer exists, or
// another caller has leased it.
func (l *MailingList) MarkSent(
	ctx context.Context, lease mailinglist.Lease, messageID string, now time.Time,
) error {
	return l.endLease(ctx, lease,
		"SET MessageID = :message, SentAt = :now REMOVE Unsent, LeasedUntil",
		map[string]types.AttributeValue{
			":message": text(messageID),
			":now":     text(now.UTC().Format(mailinglisttable.TimeLayout)),
		})
}

// MarkRejected records that the lease's mail will never be sent, and why. It fails as
// [MailingList.MarkSent] does.
func (l *MailingList) MarkRejected(
	ctx context.Context, lease mailinglist.Lease, reason string,
) error {
	return l.endLease(ctx, lease, "SET RejectionReason = :reason REMOVE Unsent, LeasedUntil",
		map[string]types.AttributeValue{":reason": text(reason)})
}

// Release ends a lease, so that other callers can lease the mail at once. It is no error when the
// caller has lost the lease.
func (l *MailingList) Release(ctx context.Context, lease mailinglist.Lease) error {
	err := l.endLease(ctx, lease, "REMOVE LeasedUntil", nil)
	if errors.Is(err, mailinglist.ErrNotFound) {
		return nil
	}
	return err
}

// endLease applies the holder's last update. The item keeps the name of the holder, so that a retry
// succeeds.
func (l *MailingList) endLease(
	ctx context.Context, lease mailinglist.Lease, update string,
	values map[string]types.AttributeValue,
) error {
	all := map[string]types.AttributeValue{":holder": text(lease.Holder.String())}
	maps.Copy(all, values)
	_, err := l.API.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &l.Table,
		Key:                       key(lease.Address, lease.Kind),
		UpdateExpression:          &update,
		ConditionExpression:       aws.String("LeaseHolder = :holder"),
		ExpressionAttributeValues: all,
	}, callOptions)
	if _, failed := failedCondition(err); failed {
		return mailinglist.ErrNotFound
	}
	return wrap("end a lease", err)
}

// Unsent iterates over the items whose mail was not sent and that were created before a time,
// oldest first. It includes leased items, but none that had expired at that time, which may stay in
// the table for days. The index is at most seconds behind. An item that is not a subscription is an
// error, after which the iteration continues.
func (l *MailingList) Unsent(
	ctx context.Context, before time.Time,
) iter.Seq2[mailinglist.Key, error] {
	return func(yield func(mailinglist.Key, error) bool) {
		pages := dynamodb.NewQueryPaginator(l.API, &dynamodb.QueryInput{
			TableName:              &l.Table,
			IndexName:              aws.String("Unsent"),
			KeyConditionExpression: aws.String("Unsent = :unsent AND CreatedAt < :before"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":unsent": text(mailinglisttable.Unsent),
				":before": text(before.UTC().Format(mailinglisttable.TimeLayout)),
			},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx, callOptions)
			if err != nil {
				yield(mailinglist.Key{}, awsclient.Wrap("list unsent mails", err))
				return
			}
			for _, attributes := range page.Items {
				s, err := decodeIndexed(attributes)
				// The index does not have ExpiresAt.
				if err == nil && s.Kind == mailinglist.Pending &&
					!s.CreatedAt.Add(mailinglist.ConfirmWithin).After(before) {
					continue
				}
				if !yield(s.Key, err) {
					return
				}
			}
		}
	}
}

// decodeIndexed returns a subscription from the attributes that the index has.
func decodeIndexed(attributes map[string]types.AttributeValue) (mailinglist.Subscription, error) {
	item, err := decode(attributes)
	if err != nil {
		return mailinglist.Subscription{}, err
	}
	return subscription(item)
}
