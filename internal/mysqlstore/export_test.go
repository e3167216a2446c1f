package mysqlstore

// Batch is how many comments one transaction deletes.
const Batch = batch
