// Package warehouse provisions a data warehouse: Amazon Redshift Serverless, reachable only within
// the VPC, over the tables of a Glue Data Catalog.
//
// It makes a namespace and a workgroup in the VPC's isolated subnets, a security group, an
// interface endpoint of Glue, the role with which the warehouse reads catalogs and buckets, log
// groups, a KMS key, and a function that creates external schemas. Redshift generates and rotates
// the password of the admin user. No client reaches the warehouse before [Warehouse.GrantConnect];
// the query editor and the Data API need no network path.
//
// # Costs
//
// AWS bills the compute capacity (RPU) by the second while queries run, for at least a minute;
// storage of the warehouse's own tables; the interface endpoint, by the hour and zone; the KMS key;
// the admin user's secret; and the logs. An idle warehouse has no compute cost. A query of an
// external schema is billed as compute capacity too.
//
// # What cannot be undone
//
// The name of the namespace contains the construct's path: a new path makes a new, empty namespace.
// Without Disposable, the old one is retained, without a workgroup. An external schema stays when
// its resource is deleted; drop it with SQL.
package warehouse
