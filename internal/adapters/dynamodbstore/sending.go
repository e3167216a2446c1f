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

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
)

// Claim gives the caller the right to send the mail that key names until then, and nobody else. It fails with
// [mailinglist.ErrNotFound] when no mail is to be sent: the item is gone, has expired or has another ID, or its mail is
// sent or refused. It fails with a [*mailinglist.ClaimedError] when somebody else has it at now. Times are kept to the
// millisecond.
func (l *MailingList) Claim(ctx context.Context, key mailinglist.Key, now, until time.Time) (mailinglist.Claim, error) {
	holder := uuid.New()
	claimed, err := l.claim(ctx, key, holder, now, until)
	if err != nil {
		return mailinglist.Claim{}, err
	}
	subscription, err := claimed.subscription()
	if err != nil {
		return mailinglist.Claim{}, err
	}
	return mailinglist.Claim{Subscription: subscription, Holder: holder, Until: until}, nil
}

func (l *MailingList) claim(ctx context.Context, of mailinglist.Key, holder uuid.UUID, now, until time.Time) (*item, error) {
	updated, err := l.API.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:        &l.Table,
		Key:              key(of.Address, of.Kind),
		UpdateExpression: aws.String("SET Claim = :holder, ClaimedUntil = :until"),
		ConditionExpression: aws.String("ID = :id AND attribute_exists(Waiting) AND (attribute_not_exists(ExpiresAt) OR ExpiresAt > :seconds)" +
			" AND (attribute_not_exists(ClaimedUntil) OR ClaimedUntil <= :now)"),
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
	there, refused := refusal(err)
	if !refused {
		return nil, wrap("claim a mail", err)
	}
	old, err := decode(there)
	switch {
	case err != nil:
		return nil, err
	case old == nil || old.ID != of.ID.String() || old.Waiting == "" || old.expired(now):
		return nil, mailinglist.ErrNotFound
	case old.Claim != holder.String():
		return nil, &mailinglist.ClaimedError{Until: time.UnixMilli(old.ClaimedUntil)}
	}
	return old, nil // the SDK has tried again what had worked
}

// MarkSent notes that the claim's mail is sent, under the service's name for it. It fails with [mailinglist.ErrNotFound]
// when the claim is nobody's any more: the item is gone, or somebody else has claimed it.
func (l *MailingList) MarkSent(ctx context.Context, claim mailinglist.Claim, messageID string, now time.Time) error {
	return l.end(ctx, claim, "SET MessageID = :message, SentAt = :now REMOVE Waiting, ClaimedUntil", map[string]types.AttributeValue{
		":message": text(messageID), ":now": text(now.UTC().Format(layout)),
	})
}

// MarkRefused notes that the claim's mail will never be sent, and why. It fails as [MailingList.MarkSent] does.
func (l *MailingList) MarkRefused(ctx context.Context, claim mailinglist.Claim, reason string) error {
	return l.end(ctx, claim, "SET Refused = :reason REMOVE Waiting, ClaimedUntil", map[string]types.AttributeValue{":reason": text(reason)})
}

// Release lets others claim the mail at once. It is no error when the claim is nobody's any more.
func (l *MailingList) Release(ctx context.Context, claim mailinglist.Claim) error {
	if err := l.end(ctx, claim, "REMOVE ClaimedUntil", nil); !errors.Is(err, mailinglist.ErrNotFound) {
		return err
	}
	return nil
}

// end does the last thing that the holder of a claim may do. The item keeps the holder's name, so that it may be done again.
func (l *MailingList) end(ctx context.Context, claim mailinglist.Claim, update string, values map[string]types.AttributeValue) error {
	all := map[string]types.AttributeValue{":holder": text(claim.Holder.String())}
	maps.Copy(all, values)
	_, err := l.API.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &l.Table,
		Key:                       key(claim.Address, claim.Kind),
		UpdateExpression:          &update,
		ConditionExpression:       aws.String("Claim = :holder"),
		ExpressionAttributeValues: all,
	}, callOptions)
	if _, refused := refusal(err); refused {
		return mailinglist.ErrNotFound
	}
	return wrap("end a claim", err)
}

// Waiting goes through the items whose mail is not sent and which were there before a time, the oldest first: also those
// that somebody has claimed, but none that had expired at that time, which may stay in the table for days. It is at most
// seconds behind. What is no subscription is an error, after which it goes on.
func (l *MailingList) Waiting(ctx context.Context, before time.Time) iter.Seq2[mailinglist.Key, error] {
	return func(yield func(mailinglist.Key, error) bool) {
		pages := dynamodb.NewQueryPaginator(l.API, &dynamodb.QueryInput{
			TableName:              &l.Table,
			IndexName:              aws.String("Waiting"),
			KeyConditionExpression: aws.String("Waiting = :waiting AND CreatedAt < :before"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":waiting": text(waiting), ":before": text(before.UTC().Format(layout)),
			},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx, callOptions)
			if err != nil {
				yield(mailinglist.Key{}, awsclient.Wrap("list what waits", err))
				return
			}
			for _, attributes := range page.Items {
				s, err := listed(attributes)
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

// listed is what the index has of a subscription.
func listed(attributes map[string]types.AttributeValue) (mailinglist.Subscription, error) {
	i, err := decode(attributes)
	if err != nil {
		return mailinglist.Subscription{}, err
	}
	return i.subscription()
}
