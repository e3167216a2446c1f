// Package mysql provisions a private, encrypted Amazon RDS for MySQL database with read replicas,
// an application user, schema migrations and rotated passwords.
//
// New makes a DB instance with its parameter group, subnet group, security group and log groups; a
// secret for each of its two users, with AWS's rotation function; and on request read replicas and
// an RDS Proxy. AddMigrations makes a function that applies SQL files during a deployment.
// GrantConnect connects functions and services. FromAttributes does so for a database that exists
// already.
//
// # Costs
//
// AWS bills the instance and each replica by the hour, twice for MultiAZ; their storage by the GiB;
// backups beyond the size of the storage; the two secrets by the month; the exported logs by the
// GiB. RDS Proxy is billed by the vCPU of the instances and hour, and MySQL 8.0 too, for its
// extended support. The functions that rotate and migrate cost next to nothing.
//
// # What cannot be undone
//
// Storage does not shrink, the version does not go down, and a migration is not reverted: the next
// one fixes it. The instance has a physical name, so a change that replaces it fails: of
// DatabaseName, of the VPC, or of an id in the construct tree. Deleting the stack leaves a snapshot
// and the secrets, and fails until deletion protection is off, unless the database is disposable.
package mysql
