package athenatest

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/ashlar-cdk/ashlar/internal/testing/enginetest"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// engine returns the URL of the process's Trino. Trino reads S3 with the credentials of a function
// that lambdatest runs, and has no catalogs: each test creates its own.
var engine = sync.OnceValues(func() (string, error) {
	return enginetest.Engine{
		Name:   "Trino",
		Folder: "athenatest",
		Arguments: func(folder, address string) []string {
			arguments := []string{
				"-Xmx1g", "-XX:+UseSerialGC", "-Djdk.attach.allowAttachSelf=true",
				// Saves a second at start-up: the size of objects is estimated, not requested from
				// two other Java processes.
				"-Djol.skipHotspotSAAttach=true",
				"-Duser.timezone=UTC", // as in Athena
			}
			for _, property := range [][2]string{
				{"node.environment", "test"},
				{"node.internal-address", "127.0.0.1"},
				{"node.bind-ip", "127.0.0.1"},
				{"coordinator", "true"},
				{"node-scheduler.include-coordinator", "true"},
				{"http-server.http.port", address[len("127.0.0.1:"):]},
				{"http-server.log.enabled", "false"},
				{"discovery.uri", "http://" + address},
				{"plugin.dir", filepath.Join(folder, "lib", "plugin")},
				{"catalog.management", "dynamic"},
				{"catalog.store", "memory"},
				{"query.max-memory-per-node", "256MB"},
				{"memory.heap-headroom-per-node", "64MB"},
			} {
				arguments = append(arguments, "-D"+property[0]+"="+property[1])
			}
			return append(arguments, "-cp", filepath.Join(folder, "lib", "*"),
				"io.trino.server.TrinoServer")
		},
		Environment: []string{
			"AWS_ACCESS_KEY_ID=" + lambdatest.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + lambdatest.SecretAccessKey,
			"AWS_SESSION_TOKEN=" + lambdatest.SessionToken,
		},
		Path: "/v1/info",
		Ready: func(r *http.Response) bool {
			info := struct{ Starting bool }{Starting: true}
			return json.NewDecoder(r.Body).Decode(&info) == nil && !info.Starting
		},
		Remedy: "java -version must print 17 or higher",
	}.Start()
})
