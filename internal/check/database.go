package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	instanceClassPattern = regexp.MustCompile(`^[a-z][a-z0-9]+\.[a-z0-9]+$`)
	databaseNamePattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	identifierPattern    = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// InstanceClass accepts an RDS instance class without its prefix: t4g.micro. "DB instance classes"
// in the Amazon RDS User Guide.
func InstanceClass(prop, class string) error {
	return text(prop, class, instanceClassPattern.MatchString(class),
		"an instance class without the prefix db., such as t4g.micro")
}

// DatabaseInsights accepts Database Insights with an instance class: performance data needs more
// memory than micro and small ones have. "Performance Insights" in the Amazon RDS User Guide, table
// of supported instance classes for MySQL.
func DatabaseInsights(prop string, enabled bool, class string) error {
	small := strings.HasSuffix(class, ".micro") || strings.HasSuffix(class, ".small")
	return That(prop, enabled, !enabled || !small,
		"false with "+shorten(class)+", or a class from medium up")
}

// maxStorageGiB is the limit of gp3 storage: "DB instance storage" in the Amazon RDS User Guide.
const maxStorageGiB = 65536

// Storage accepts the allocated gp3 storage of an RDS instance, in GiB.
func Storage(prop string, gib int) error {
	return Range(prop, gib, 20, maxStorageGiB)
}

// MaxAllocatedStorage accepts the limit of storage autoscaling, in GiB. RDS rejects one less than
// 10 % above the allocated storage, the value of storageProp: "Managing capacity automatically" in
// the Amazon RDS User Guide.
func MaxAllocatedStorage(prop string, gib int, storageProp string, storageGiB int) error {
	return That(prop, gib, gib*10 >= storageGiB*11 && gib <= maxStorageGiB,
		fmt.Sprintf("at least 10 %% above %s, at most %d", storageProp, maxStorageGiB))
}

// Replicas accepts the number of read replicas of an RDS for MySQL instance: "Working with MySQL
// read replicas" in the Amazon RDS User Guide.
func Replicas(prop string, n int) error {
	return Range(prop, n, 0, 15)
}

// BackupRetention accepts the retention of automated backups. RDS keeps them for 35 days at most;
// without any, neither point-in-time recovery nor read replicas are possible: "Backup retention
// period" in the Amazon RDS User Guide.
func BackupRetention(prop string, retention time.Duration) error {
	return Duration(prop, retention, day, 35*day, day)
}

// DatabaseName accepts the name of an RDS for MySQL instance's first database: CreateDBInstance in
// the Amazon RDS API Reference.
func DatabaseName(prop, name string) error {
	lower := strings.ToLower(name)
	reserved := slices.Contains(mysqlReserved, lower) || slices.Contains(mysqlSchemas, lower)
	return text(prop, name, hasToken(name) || databaseNamePattern.MatchString(name) && !reserved,
		"a letter, then up to 63 letters, digits and underscores, but no reserved word of MySQL")
}

// Identifier accepts the name of a schema, a table or a column in Glue, Athena and Redshift, in
// lower case, with at most length characters: "Name databases, tables, and columns" in the Amazon
// Athena User Guide, and "Names and identifiers" in the Amazon Redshift Database Developer Guide,
// where the limit is 127.
func Identifier(prop, name string, length int) error {
	return text(prop, name, identifierPattern.MatchString(name) && len(name) <= length,
		fmt.Sprintf("a lower-case letter, then up to %d lower-case letters, digits and underscores",
			length-1))
}

// mysqlSchemas exist in every server.
var mysqlSchemas = []string{"information_schema", "mysql", "performance_schema", "sys"}

// mysqlReserved are the reserved words of MySQL 8.0 and 8.4: "Keywords and Reserved Words" in their
// Reference Manuals.
var mysqlReserved = strings.Fields(`
	accessible add all alter analyze and as asc asensitive before between bigint binary blob both by
	call cascade case change char character check collate column condition constraint continue
	convert create cross cube cume_dist current_date current_time current_timestamp current_user
	cursor database databases day_hour day_microsecond day_minute day_second dec decimal declare
	default delayed delete dense_rank desc describe deterministic distinct distinctrow div double
	drop dual each else elseif empty enclosed escaped except exists exit explain false fetch
	first_value float float4 float8 for force foreign from fulltext function generated get grant
	group grouping groups having high_priority hour_microsecond hour_minute hour_second if ignore in
	index infile inner inout insensitive insert int int1 int2 int3 int4 int8 integer intersect
	interval into io_after_gtids io_before_gtids is iterate join json_table key keys kill lag
	last_value lateral lead leading leave left like limit linear lines load localtime localtimestamp
	lock long longblob longtext loop low_priority manual master_bind master_ssl_verify_server_cert
	match maxvalue mediumblob mediumint mediumtext middleint minute_microsecond minute_second mod
	modifies natural no_write_to_binlog not nth_value ntile null numeric of on optimize
	optimizer_costs option optionally or order out outer outfile over parallel partition
	percent_rank precision primary procedure purge qualify range rank read read_write reads real
	recursive references regexp release rename repeat replace require resignal restrict return
	revoke right rlike row row_number rows schema schemas second_microsecond select sensitive
	separator set show signal smallint spatial specific sql sql_big_result sql_calc_found_rows
	sql_small_result sqlexception sqlstate sqlwarning ssl starting stored straight_join system table
	tablesample terminated then tinyblob tinyint tinytext to trailing trigger true undo union unique
	unlock unsigned update usage use using utc_date utc_time utc_timestamp values varbinary varchar
	varcharacter varying virtual when where while window with write xor year_month zerofill`)
