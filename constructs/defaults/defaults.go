package defaults

import (
	"cmp"
	"fmt"
	"time"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/internal/check"
)

// LogRetention applies where no scope sets another. CloudWatch's own default is to never expire.
const LogRetention = 30 * 24 * time.Hour

// Values are the defaults below a scope.
type Values struct {
	LogRetention time.Duration // of all logs; default: the outer scope's, or 30 days
	Disposable   bool          // stateful resources and logs are destroyed with the stack
}

// contextKey is where a scope's node holds its values. Only Set writes it.
const contextKey = "ashlar:defaults"

// Set sets the defaults of the constructs below scope: an app, a stage, a stack or a construct. It
// panics when scope has children, because they would have other defaults.
func Set(scope constructs.Construct, values Values) {
	check.Props("defaults", "Set",
		check.NotNil("scope", scope, "pass an app, a stage, a stack or a construct"))
	if n := len(*scope.Node().Children()); n > 0 {
		path := cmp.Or(*scope.Node().Path(), "the app") // whose path is empty
		panic(fmt.Errorf("defaults: %s has %d children; call defaults.Set first", path, n))
	}
	values.LogRetention = cmp.Or(values.LogRetention, Of(scope).LogRetention)
	check.Props("defaults", *scope.Node().Path(),
		check.LogRetention("LogRetention", values.LogRetention))
	scope.Node().SetContext(jsii.String(contextKey), map[string]any{
		"logRetention": values.LogRetention.String(),
		"disposable":   values.Disposable,
	})
}

// Of returns the defaults at scope, which are those of the nearest scope that sets some. Without
// any, logs are kept for 30 days and nothing is disposable.
func Of(scope constructs.IConstruct) Values {
	values := Values{LogRetention: LogRetention}
	found := scope.Node().TryGetContext(jsii.String(contextKey))
	if found == nil {
		return values
	}
	stored, ok := found.(map[string]any)
	if !ok {
		panic(fmt.Errorf("defaults: %s in the context is %v; call defaults.Set", contextKey, found))
	}
	retention, _ := stored["logRetention"].(string)
	var err error
	if values.LogRetention, err = time.ParseDuration(retention); err != nil {
		panic(fmt.Errorf("defaults: %s in the context: %w; call defaults.Set", contextKey, err))
	}
	values.Disposable, _ = stored["disposable"].(bool)
	return values
}

// Override sets the defaults below a construct whose props are logRetention and disposable, and
// returns whether the construct is disposable. A prop that is zero takes the default, so a
// construct can be disposable in a stage that is not, but not the reverse: for that, call Set on a
// scope around it.
func Override(
	construct constructs.Construct, logRetention time.Duration, disposable bool,
) (isDisposable bool) {
	inherited := Of(construct)
	values := Values{
		LogRetention: cmp.Or(logRetention, inherited.LogRetention),
		Disposable:   disposable || inherited.Disposable,
	}
	if values != inherited {
		Set(construct, values)
	}
	return values.Disposable
}
