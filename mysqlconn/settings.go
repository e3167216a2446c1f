package mysqlconn

// Settings tell a function where its database is. The mysql construct's ConnectFrom fills them; the function's
// own settings hold them as a field, so that a database nobody connected fails the synth.
type Settings struct {
	SecretARN   string   `env:"DATABASE_SECRET_ARN"`            // Secrets Manager: {"username": …, "password": …}
	WriterHost  string   `env:"DATABASE_WRITER_HOST"`           // the instance, or the proxy in front of it
	ReaderHosts []string `env:"DATABASE_READER_HOSTS,optional"` // the replicas; without any, the writer is read from
	Port        int      `env:"DATABASE_PORT"`
	Name        string   `env:"DATABASE_NAME"` // the schema
}
