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
)

// Lease gives the caller the right to send the mail that key names until then, and nobody else. It fails with
// [mailinglist.ErrNotFound] when no mail is to be sent: the item is gone, has expired or has another ID, or its mail is
// sent or refused. It fails with a [*email.LeasedError] when somebody else has it at now. Times are kept to the
// millisecond.
func (l *MailingList) Lease(ctx context.Context, key mailinglist.Key, now, until time.Time) (mailinglist.Lease, error) {
	holder := uuid.New()
	leased, err := l.lease(ctx, key, holder, now, until)
	if err != nil {
		return mailinglist.Lease{}, err
	}
	subscription, err := leased.subscription()
	if err != nil {
		return mailinglist.Lease{}, err
	}
	return mailinglist.Lease{Subscription: subscription, Holder: holder, Until: until}, nil
}

func (l *MailingList) lease(ctx context.Context, of mailinglist.Key, holder uuid.UUID, now, until time.Time) (*item, error) {
	updated, err := l.API.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:        &l.Table,
		Key:              key(of.Address, of.Kind),
		UpdateExpression: aws.String("SET LeaseHolder = :holder, LeasedUntil = :until"),
		ConditionExpression: aws.String("ID = :id AND attribute_exists(Unsent) AND (attribute_not_exists(ExpiresAt) OR ExpiresAt > :seconds)" +
			" AND (attribute_not_exists(LeasedUntil) OR LeasedUntil <= :now)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":id": text(of.ID.String()), ":holder": text(holder.String()), ":until": number(until.UnixMilli()),
			":now": number(now.UnixMilli()), ":seconds": number(now.Unix()),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, callOptions)
	if err == nil {
		return decode(updated.Attributes)
	}
	there, refused := failedCondition(err)
	if !refused {
		return nil, wrap("lease a mail", err)
	}
	old, err := decode(there)
	switch {
	case err != nil:
		return nil, err
	case old == nil || old.ID != of.ID.String() || old.Unsent == "" || old.expired(now):
		return nil, mailinglist.ErrNotFound
	case old.LeaseHolder != holder.String():
		return nil, &email.LeasedError{Until: time.UnixMilli(old.LeasedUntil)}
	}
	return old, nil // the SDK has tried again what had worked
}

// MarkSent notes that the lease's mail is sent, under the service's name for it. It fails with [mailinglist.ErrNotFound]
// when the lease is nobody's any more: the item is gone, or somebody else has leased it.
func (l *MailingList) MarkSent(ctx context.Context, lease mailinglist.Lease, messageID string, now time.Time) error {
	return l.endLease(ctx, lease, "SET MessageID = :message, SentAt = :now REMOVE Unsent, LeasedUntil", map[string]types.AttributeValue{
		":message": text(messageID), ":now": text(now.UTC().Format(timeLayout)),
	})
}

// MarkRejected notes that the lease's mail will never be sent, and why. It fails as [MailingList.MarkSent] does.
func (l *MailingList) MarkRejected(ctx context.Context, lease mailinglist.Lease, reason string) error {
	return l.endLease(ctx, lease, "SET RejectionReason = :reason REMOVE Unsent, LeasedUntil", map[string]types.AttributeValue{":reason": text(reason)})
}

// Release lets others lease the mail at once. It is no error when the lease is nobody's any more.
func (l *MailingList) Release(ctx context.Context, lease mailinglist.Lease) error {
	if err := l.endLease(ctx, lease, "REMOVE LeasedUntil", nil); !errors.Is(err, mailinglist.ErrNotFound) {
		return err
	}
	return nil
}

// endLease does the last thing that the holder of a lease may do. The item keeps the holder's name, so that it may be done again.
func (l *MailingList) endLease(ctx context.Context, lease mailinglist.Lease, update string, values map[string]types.AttributeValue) error {
	all := map[string]types.AttributeValue{":holder": text(lease.Holder.String())}
	maps.Copy(all, values)
	_, err := l.API.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &l.Table,
		Key:                       key(lease.Address, lease.Kind),
		UpdateExpression:          &update,
		ConditionExpression:       aws.String("LeaseHolder = :holder"),
		ExpressionAttributeValues: all,
	}, callOptions)
	if _, refused := failedCondition(err); refused {
		return mailinglist.ErrNotFound
	}
	return wrap("end a lease", err)
}

// Unsent goes through the items whose mail is not sent and which were there before a time, the oldest first: also those
// that somebody has leased, but none that had expired at that time, which may stay in the table for days. It is at most
// seconds behind. What is no subscription is an error, after which it goes on.
func (l *MailingList) Unsent(ctx context.Context, before time.Time) iter.Seq2[mailinglist.Key, error] {
	return func(yield func(mailinglist.Key, error) bool) {
		pages := dynamodb.NewQueryPaginator(l.API, &dynamodb.QueryInput{
			TableName:              &l.Table,
			IndexName:              aws.String("Unsent"),
			KeyConditionExpression: aws.String("Unsent = :unsent AND CreatedAt < :before"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":unsent": text(unsent), ":before": text(before.UTC().Format(timeLayout)),
			},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx, callOptions)
			if err != nil {
				yield(mailinglist.Key{}, awsclient.Wrap("list what waits", err))
				return
			}
			for _, attributes := range page.Items {
				s, err := decodeIndexed(attributes)
				// The index does not have ExpiresAt.
				if err == nil && s.Kind == mailinglist.Pending && !s.CreatedAt.Add(mailinglist.ConfirmWithin).After(before) {
					continue
				}
				if !yield(s.Key, err) {
					return
				}
			}
		}
	}
}

// decodeIndexed is what the index has of a subscription.
func decodeIndexed(attributes map[string]types.AttributeValue) (mailinglist.Subscription, error) {
	i, err := decode(attributes)
	if err != nil {
		return mailinglist.Subscription{}, err
	}
	return i.subscription()
}
