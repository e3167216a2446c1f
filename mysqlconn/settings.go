package mysqlconn

// Settings are the connection settings of a function. GrantConnect and AddMigration of the
// construct mysql fill them; the function's own settings contain them as a field, so that a
// function without a connected database fails the synth.
type Settings struct {
	// The secret of the user's credentials, as JSON: {"username": …, "password": …}.
	SecretARN string `env:"DATABASE_SECRET_ARN"`
	// The instance, or its RDS Proxy.
	WriterHost string `env:"DATABASE_WRITER_HOST"`
	// The replicas. Without any, reads go to the writer.
	ReaderHosts []string `env:"DATABASE_READER_HOSTS,optional"`
	Port        int      `env:"DATABASE_PORT"`
	Name        string   `env:"DATABASE_NAME"` // the schema
}

// AppUser is the secret of the user as which the other functions connect, for the function that
// migrates the schema. AddMigration of the construct mysql fills it.
type AppUser struct {
	// The secret of the user's credentials, as JSON: {"username": …, "password": …}.
	SecretARN string `env:"DATABASE_APP_SECRET_ARN"`
}
