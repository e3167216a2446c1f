package bench

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// starts is how often each function is started in one run.
const starts = 41

// BenchmarkStartup measures the cost of the table of routes for the posts function: the binary's
// size, and the time from its start until it asks for its first event, compared with the same
// function without routes. The two are started in turn, so that other load on the machine affects
// both.
//
//	go test ./bench -run '^$' -bench Startup -benchtime 1x
func BenchmarkStartup(b *testing.B) {
	first := make(chan struct{}, 1)
	runtimeAPI := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		first <- struct{}{}
		<-r.Context().Done()
	}))
	b.Cleanup(func() {
		runtimeAPI.CloseClientConnections()
		runtimeAPI.Close()
	})
	environment := []string{
		"AWS_LAMBDA_RUNTIME_API=" + runtimeAPI.Listener.Addr().String(),
		"AWS_LAMBDA_FUNCTION_NAME=startup", "AWS_REGION=eu-central-1",
		"ALLOWED_ORIGINS=https://app.example.com", "CLIENT_IDS=client", "TOKEN_KEY_ARN=arn",
		"DATABASE_SECRET_ARN=arn",
		"ORIGINALS_BUCKET=originals", "MEDIA_URL=https://media.example.com", "TOPIC_ARN=arn",
		"DATABASE_WRITER_HOST=database.example.com", "DATABASE_PORT=3306", "DATABASE_NAME=ashlar",
	}
	start := func(bootstrap string) time.Duration {
		command := exec.Command(bootstrap)
		command.Env = environment
		begun := time.Now()
		if err := command.Start(); err != nil {
			b.Fatal(err)
		}
		<-first
		took := time.Since(begun)
		_ = command.Process.Kill() // waits for an event
		_ = command.Wait()
		return took
	}
	functions := []string{
		build(b, "github.com/ashlar-cdk/ashlar/lambdas/posts"),
		build(b, "github.com/ashlar-cdk/ashlar/bench/testdata/plain"),
	}
	for b.Loop() {
		took := make([][]time.Duration, len(functions))
		for range starts {
			for i, function := range functions {
				took[i] = append(took[i], start(function))
			}
		}
		posts, plain := median(took[0]), median(took[1])
		b.ReportMetric(posts.Seconds()*1000, "ms/posts")
		b.ReportMetric(plain.Seconds()*1000, "ms/plain")
		b.ReportMetric(posts.Seconds()/plain.Seconds(), "ratio")
		b.ReportMetric(megabytes(b, functions[0]), "MB/posts")
		b.ReportMetric(megabytes(b, functions[1]), "MB/plain")
	}
}

// build compiles a function as for deployment, but for this machine.
func build(b *testing.B, importPath string) string {
	b.Helper()
	bootstrap := filepath.Join(b.TempDir(), "bootstrap")
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid=", "-o", bootstrap, importPath)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, output)
	}
	return bootstrap
}

func megabytes(b *testing.B, file string) float64 {
	b.Helper()
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}
