// Command report generates the daily reports of telemetry records with Athena queries, when there
// are new records.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	athenaapi "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ashlar-cdk/ashlar/internal/adapters/athena"
	"github.com/ashlar-cdk/ashlar/internal/adapters/parquetfile"
	"github.com/ashlar-cdk/ashlar/internal/adapters/s3store"
	"github.com/ashlar-cdk/ashlar/internal/domain/reports"
	"github.com/ashlar-cdk/ashlar/internal/runtime/awsclient"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/report/contract"
	"github.com/ashlar-cdk/ashlar/telemetryschema"
)

// minTimePerDay is more than a day usually takes. A day whose queries take longer is stopped and
// retried. If the minimum were the longest possible query, a day that exceeds its time would leave
// none for the other days of its batch, in every invocation.
const minTimePerDay = 2 * time.Minute

func main() {
	logger := lambdacontext.NewLogger()
	slog.SetDefault(logger) // for the log package too, which the Lambda runtime writes to
	settings := lambdaenv.MustLoad[contract.Settings]()
	daily, err := loadReports()
	if err != nil {
		panic(err)
	}
	awsConfig, err := config.LoadDefaultConfig(context.Background(),
		config.WithHTTPClient(awsclient.WithResponseTimeout(awsclient.DefaultResponseTimeout)))
	if err != nil {
		panic(fmt.Errorf("load the AWS configuration: %w", err))
	}
	h := &handler{
		generator: &reports.Generator{
			Reports: daily,
			Queries: &athena.Queries{
				WorkGroup: settings.WorkGroup,
				Database:  settings.Database,
				API:       athenaapi.NewFromConfig(awsConfig),
			},
			Files: &s3store.Reports{
				Bucket: settings.Bucket,
				API:    s3.NewFromConfig(awsConfig),
			},
			Timeout:      settings.QueryTimeout,
			WriteParquet: parquetfile.Write,
		},
		minTimePerDay: minTimePerDay,
		logger:        logger,
	}
	lambda.Start(h.Handle)
}

// loadReports reads the reports beside the executable.
func loadReports() ([]telemetryschema.Report, error) {
	encoded, err := fs.ReadFile(lambdaenv.Files(), contract.ReportsFile)
	if err != nil {
		return nil, fmt.Errorf("load the reports: %w", err)
	}
	daily, err := telemetryschema.ParseReports(encoded)
	if err != nil {
		return nil, fmt.Errorf("load the reports: %w", err)
	}
	return daily, nil
}
