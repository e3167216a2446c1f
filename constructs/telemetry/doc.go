// Package telemetry provisions the pipeline from readings of devices and events of clients to daily
// reports: the MQTT topic that devices publish to, the stream of records, the delivery into a
// table, and the queries of the reports.
//
// A team declares its columns, types of records and reports with package telemetryschema; the
// construct has none of its own. It makes a Kinesis stream, an IoT rule with the type and the
// policy of devices, a Firehose delivery stream with the function that transforms records into
// rows, a Glue database with the table telemetry and one table per report, an Athena workgroup with
// a named query per report, the function that makes the reports with its queue, two buckets and
// their access logs, a KMS key, and alarms without actions. Without reports, it makes no function,
// queue, schedule and alarm for them.
//
// Devices publish to IoT Core. Clients send events with [Telemetry.AddEventsMethod] of an API, and
// AWS producers with [Telemetry.GrantPutRecords].
//
// # Replays
//
// When records have failed, or a new column or type is declared, the raw copies of a day of arrival
// can be put into the stream again; queries count each record once:
//
//	go run github.com/ashlar-cdk/ashlar/cmd/replay -day 2026-11-20 -bucket NAME -stream NAME
//
// The names are those of Ingestion and Stream. The descriptions of the alarms say when it helps.
//
// # Costs
//
// Without traffic, AWS bills the stream by the hour (per shard, or more on demand), the KMS key,
// and the alarms. By use: the stream's throughput; Firehose's ingestion, format conversion and
// dynamic partitioning, where a record counts as at least 5 KB; IoT Core's messages and rule
// actions; the functions; S3 storage and requests; KMS calls; and what Athena scans, at least 10 MB
// per query. Every delivery of new records makes the reports of their days again.
//
// # What cannot be undone
//
// A delivery stream reads only records that arrive after its creation, so a replacement would miss
// the records that the old one had not read yet. Dynamic partitioning cannot be switched off. A
// column cannot be renamed or given another type: the objects that are already written have the
// earlier one. A thing type cannot be renamed, and CloudFormation cannot delete the thing type or
// the policy while things use them. Disposable deletes the records and the reports with the stack;
// without it, the stream, the buckets, the key and the workgroup are retained.
package telemetry
