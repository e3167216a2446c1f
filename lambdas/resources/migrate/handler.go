package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

const (
	// physicalID never changes: CloudFormation deletes the old resource when the id changes.
	physicalID = "database-schema"

	// responseTime is reserved at the end of the function's timeout for the response to
	// CloudFormation.
	responseTime = 10 * time.Second

	// maxReason keeps the response well below the 4096 bytes that CloudFormation accepts.
	maxReason = 1024

	// Between two attempts to connect: a database that is being created needs minutes, not seconds.
	firstInterval = 500 * time.Millisecond
	maxInterval   = 5 * time.Second
)

// A handler migrates the database when CloudFormation creates or updates the custom resource.
type handler struct {
	database     *sql.DB
	secrets      mysqlconn.Secrets
	appSecretARN string // of the database user of the other functions
	migrate      func(context.Context, *sql.DB) (schema.Result, error)
}

// Handle is a [cfn.CustomResourceFunction]. It returns Version, the number of the schema's last
// migration, as data. An error fails the deployment and becomes its reason.
func (h *handler) Handle(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	if event.RequestType == cfn.RequestDelete {
		return physicalID, nil, nil // the data is retained
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-responseTime))
		defer cancel()
	}
	result, err := h.up(ctx)
	if err != nil {
		slog.ErrorContext(ctx, "migration failed", "error", err)
		return physicalID, nil, errors.New(truncate(err.Error(), maxReason))
	}
	slog.InfoContext(ctx, "schema migrated", "version", result.Version, "applied", result.Applied)
	return physicalID, map[string]any{"Version": result.Version}, nil
}

func (h *handler) up(ctx context.Context) (schema.Result, error) {
	if err := h.connect(ctx); err != nil {
		return schema.Result{}, fmt.Errorf("connect: %w", err)
	}
	result, err := h.migrate(ctx, h.database)
	if err != nil {
		return schema.Result{}, err
	}
	app, err := mysqlconn.FetchCredentials(ctx, h.secrets, h.appSecretARN)
	if err != nil {
		return schema.Result{}, err
	}
	return result, mysqlconn.EnsureAppUser(ctx, h.database, app)
}

// connect retries until the database is available: it or its secret may still be being created.
func (h *handler) connect(ctx context.Context) error {
	ping := func() error {
		return mysqlconn.Retry(ctx, func() error { return h.database.PingContext(ctx) })
	}
	unavailable := func(err error) bool { return errors.Is(err, mysqlconn.ErrUnavailable) }
	return retry.Do(ctx, ping, retry.If(unavailable), retry.Intervals(firstInterval, maxInterval))
}

// truncate shortens text to at most limit bytes, without splitting characters.
func truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(text[:limit-len(ellipsis)], "") + ellipsis
}
