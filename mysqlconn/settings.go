package mysqlconn

// Settings tell a function where its database is. The mysql construct's GrantConnect and AddMigration fill them; the function's
// own settings hold them as a field, so that a database nobody connected fails the synth.
type Settings struct {
	SecretARN   string   `env:"DATABASE_SECRET_ARN"`            // Secrets Manager: {"username": …, "password": …}
	WriterHost  string   `env:"DATABASE_WRITER_HOST"`           // the instance, or the proxy in front of it
	ReaderHosts []string `env:"DATABASE_READER_HOSTS,optional"` // the replicas; without any, the writer is read from
	Port        int      `env:"DATABASE_PORT"`
	Name        string   `env:"DATABASE_NAME"` // the schema
}

// AppUser tells the function that migrates the schema which user the other functions sign in as. The mysql construct's
// AddMigration fills it.
type AppUser struct {
	SecretARN string `env:"DATABASE_APP_SECRET_ARN"` // Secrets Manager: {"username": …, "password": …}
}
