package test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/network"
	"github.com/ashlar-cdk/ashlar/test/assembly"
)

func TestEveryFunctionIsGoOnArm64AndLogsAndTraces(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
			want(t, function, "provided.al2023", "Runtime")
			want(t, function, "bootstrap", "Handler")
			want(t, function, []string{"arm64"}, "Architectures")
			want(t, function, "JSON", "LoggingConfig", "LogFormat")
			want(t, function, "Active", "TracingConfig", "Mode")
			group := assembly.Refers(function.At("LoggingConfig", "LogGroup"))
			if stack.Template.Resources[group].Type != "AWS::Logs::LogGroup" {
				t.Errorf("%s logs to %q, want a group of its stack", function.ID, group)
			}
		}
	})
}

func TestAFunctionInTheVPCReachesOnlyAWSByDefault(t *testing.T) {
	forEachStack(t, func(t *testing.T, stack assembly.Stack) {
		for _, function := range stack.Template.OfType("AWS::Lambda::Function") {
			if function.At("VpcConfig") == nil {
				continue
			}
			group := stack.Template.Resources[assembly.Refers(
				function.At("VpcConfig", "SecurityGroupIds", 0))]
			rules := oneOrMore(group.At("SecurityGroupEgress"))
			if len(rules) != 1 || assembly.At(rules[0], "FromPort") != 443.0 ||
				assembly.At(rules[0], "ToPort") != 443.0 {
				t.Errorf("%s reaches %s, want port 443 only", group.ID, text(rules))
			}
			for _, subnet := range oneOrMore(function.At("VpcConfig", "SubnetIds")) {
				if !strings.Contains(assembly.Refers(subnet), "VPCPrivateSubnet") {
					t.Errorf("%s is in %s, want private subnets", function.ID, text(subnet))
				}
			}
		}
	})
}

type functionSettings struct {
	Sender string `env:"SENDER"`
	Own    partSettings
}

type partSettings struct {
	Table string `env:"TABLE"`
}

func TestFunctionDefaults(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		gofunction.New(stack, "Mail", gofunction.Props{Package: "example.com/mail"})
	})
	function := only(t, stack, "AWS::Lambda::Function", "")
	want(t, function, 512, "MemorySize")
	want(t, function, 10, "Timeout")
	want(t, function, nil, "ReservedConcurrentExecutions")
	want(t, function, nil, "DeadLetterConfig")
	want(t, function, nil, "VpcConfig")
	want(t, function, nil, "Environment")
	want(t, only(t, stack, "AWS::Logs::LogGroup", ""), 30, "RetentionInDays")
}

// TestAFunctionWithoutGroupsHasItsOwn: the CDK's default group would allow all traffic.
func TestAFunctionWithoutGroupsHasItsOwn(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		gofunction.New(stack, "Function", gofunction.Props{
			Package: "example.com/fn", VPC: awsec2.NewVpc(stack, jsii.String("VPC"), nil),
			SecurityGroups: []awsec2.ISecurityGroup{},
		})
	})
	group := only(t, stack, "AWS::EC2::SecurityGroup", "")
	want(t, group, 443, "SecurityGroupEgress", 0, "ToPort")
}

func TestFunctionProps(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Mail", gofunction.Props{
			Package: "example.com/mail", Architecture: awslambda.Architecture_X86_64(),
			MemoryMiB: 1024, Timeout: time.Minute,
			ReservedConcurrency: 5, DisableTracing: true, Disposable: true,
			Description:     "Sends mail",
			DeadLetterQueue: awssqs.NewQueue(stack, jsii.String("Failed"), nil),
			Settings:        functionSettings{Sender: *awscdk.Aws_REGION()}, // a token
		})
		fn.AddSettings(partSettings{Table: "t"})
		fn.AddToRolePolicy([]string{"ses:SendEmail"},
			"arn:aws:ses:eu-central-1:111111111111:identity/example.com")
	})
	function := only(t, stack, "AWS::Lambda::Function", "")
	want(t, function, []string{"x86_64"}, "Architectures")
	want(t, function, 1024, "MemorySize")
	want(t, function, 60, "Timeout")
	want(t, function, 5, "ReservedConcurrentExecutions")
	want(t, function, "Sends mail", "Description")
	want(t, function,
		map[string]any{"SENDER": map[string]string{"Ref": "AWS::Region"}, "TABLE": "t"},
		"Environment", "Variables")
	want(t, function, only(t, stack, "AWS::SQS::Queue", "").ID, "DeadLetterConfig", "TargetArn",
		"Fn::GetAtt", 0)
	want(t, function, nil, "TracingConfig")
	policy := only(t, stack, "AWS::IAM::Policy", "")
	if !strings.Contains(text(policy.Properties), "identity/example.com") {
		t.Errorf("the role's policy is %s", text(policy.Properties))
	}
}

func TestFunctionPropsAreValidated(t *testing.T) {
	wantPanic(t, func(stack awscdk.Stack) {
		gofunction.New(stack, "Mail",
			gofunction.Props{MemoryMiB: 64, Timeout: time.Hour, ReservedConcurrency: -1})
	},
		"gofunction: Mail: Package is required; pass the import path of the function's package "+
			"main",
		"gofunction: Mail: MemoryMiB: 64, want 128 to 10240",
		"gofunction: Mail: Timeout: 1h0m0s, want whole seconds, 1s to 15m0s",
		"gofunction: Mail: ReservedConcurrency: -1, want 0 for no reservation, or more",
	)
}

// failure returns the error of synthesizing an app with one stack. Functions are built only if
// build is true.
func failure(t *testing.T, build bool, declare func(stack awscdk.Stack)) string {
	t.Helper()
	context := map[string]any{}
	if !build {
		context["aws:cdk:bundling-stacks"] = []string{}
	}
	return panicMessage(func() {
		app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: jsii.String(t.TempDir())})
		declare(awscdk.NewStack(app, jsii.String("Stack"), nil))
		app.Synth(nil)
	})
}

func TestAMissingSettingFailsTheSynth(t *testing.T) {
	message := failure(t, false, func(stack awscdk.Stack) {
		gofunction.New(stack, "Mail", gofunction.Props{
			Package: "example.com/mail", Settings: functionSettings{Sender: "a@example.com"},
		})
	})
	want := "[Stack/Mail] gofunction: TABLE (functionSettings.Own.Table): is missing; set it, or " +
		"call the " +
		"grant that fills it"
	if !strings.Contains(message, want) {
		t.Errorf("failed with %q, want it to say %q", message, want)
	}
}

func TestSubnetsThatTheVPCLacksFailTheSynth(t *testing.T) {
	message := failure(t, false, func(stack awscdk.Stack) {
		gofunction.New(stack, "Mail", gofunction.Props{
			Package: "example.com/mail", VPC: network.New(stack, "Network", network.Props{}).VPC,
			VPCSubnets: &awsec2.SubnetSelection{SubnetGroupName: jsii.String("Apps")},
		})
	})
	const want = "gofunction: Mail: VPCSubnets: There are no subnet groups with name 'Apps' in " +
		"this VPC. Available names: "
	if !strings.HasPrefix(message, want) {
		t.Errorf("failed with %q, want it to begin with %q", message, want)
	}
}

func TestAnUnreadSettingFailsTheSynth(t *testing.T) {
	message := failure(t, false, func(stack awscdk.Stack) {
		gofunction.New(stack, "Mail", gofunction.Props{Package: "example.com/mail"}).AddSettings(
			partSettings{Table: "t"})
	})
	want := "[Stack/Mail] gofunction: TABLE (struct {}): no field reads it; add the struct that " +
		`has it, or a field with the tag env:"TABLE", to the function's settings`
	if !strings.Contains(message, want) {
		t.Errorf("failed with %q, want it to say %q", message, want)
	}
}

func TestAFunctionThatDoesNotCompileFailsTheSynthWithTheCompilersMessage(t *testing.T) {
	message := failure(t, true, func(stack awscdk.Stack) {
		gofunction.New(stack, "Mail",
			gofunction.Props{Package: "github.com/ashlar-cdk/ashlar/test/testdata/broken"})
	})
	if want := "broken.go:4:15: undefined: undefinedFunction"; !strings.Contains(message, want) ||
		!strings.Contains(message, "[Stack/Mail] gofunction: cannot build") {
		t.Errorf("failed with %q, want it to say %q", message, want)
	}
}

func TestAGrantCannotOverwriteASetting(t *testing.T) {
	message := failure(t, false, func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Mail", gofunction.Props{
			Package: "example.com/mail", Settings: functionSettings{Sender: "a@example.com"},
		})
		fn.AddSettings(partSettings{Table: "t"})
		fn.AddSettings(partSettings{Table: "u"})
	})
	want := `gofunction: Stack/Mail.AddSettings: TABLE is already "t" and cannot become "u"; ` +
		"use WithPrefix for a second one"
	if message != want {
		t.Errorf("failed with %q, want %q", message, want)
	}
}

func TestAFunctionIsGrantableAndConnectable(t *testing.T) {
	stack := synthStack(func(stack awscdk.Stack) {
		vpc := awsec2.NewVpc(stack, jsii.String("VPC"), nil)
		fn := gofunction.New(stack, "Mail",
			gofunction.Props{Package: "example.com/mail", VPC: vpc})
		awss3.NewBucket(stack, jsii.String("Bucket"), nil).GrantRead(fn, nil)
		group := awsec2.NewSecurityGroup(stack, jsii.String("Group"),
			&awsec2.SecurityGroupProps{Vpc: vpc})
		group.Connections().AllowFrom(fn, awsec2.Port_Tcp(jsii.Number(9)), nil)
		group.Connections().AllowFrom(fn.WithPrefix("A_"), awsec2.Port_Tcp(jsii.Number(9)), nil)
	})
	if policy := only(t, stack, "AWS::IAM::Policy", "MailRole"); !strings.Contains(
		text(policy.Properties), "s3:GetObject*") {
		t.Errorf("the role's policy is %s", text(policy.Properties))
	}
	rule := only(t, stack, "AWS::EC2::SecurityGroupIngress", "")
	source := only(t, stack, "AWS::EC2::SecurityGroup", "MailSecurityGroup").ID
	if got := assembly.Refers(rule.At("SourceSecurityGroupId")); got != source {
		t.Errorf("the group admits %s, want %s", got, source)
	}
}

func TestAddEnvironmentDoesNotBypassTheSettings(t *testing.T) {
	declare := func(name, value string) func(awscdk.Stack) {
		return func(stack awscdk.Stack) {
			fn := gofunction.New(stack, "Mail", gofunction.Props{
				Package:  "example.com/mail",
				Settings: functionSettings{Sender: *stack.Region(), Own: partSettings{"t"}},
			})
			fn.Function.AddEnvironment(jsii.String(name), jsii.String(value), nil)
		}
	}
	want := "[Stack/Mail] gofunction: TABLE: AddEnvironment replaces the setting's value; pass " +
		"it in " +
		"Props.Settings or with AddSettings"
	if message := failure(t, false, declare("TABLE", "u")); !strings.Contains(message, want) {
		t.Errorf("failed with %q, want it to say %q", message, want)
	}
	if message := failure(t, false, declare("OTEL_SERVICE_NAME", "mail")); message != "" {
		t.Errorf("failed with %q, want no failure for a variable that is no setting", message)
	}
	message := failure(t, false, func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Mail",
			gofunction.Props{Package: "example.com/mail", Settings: functionSettings{Sender: "a"}})
		fn.Function.AddEnvironment(jsii.String("TABLE"), stack.Region(), nil)
	})
	if message != "" {
		t.Errorf("failed with %q, want no failure for a setting that AddEnvironment fills", message)
	}
}

func TestASecondGrantCanHaveAPrefix(t *testing.T) {
	type settings struct {
		Main    partSettings
		Archive partSettings `envPrefix:"ARCHIVE_"`
	}
	stack := synthStack(func(stack awscdk.Stack) {
		fn := gofunction.New(stack, "Mail",
			gofunction.Props{Package: "example.com/mail", Settings: settings{}})
		fn.AddSettings(partSettings{Table: "t"})
		fn.WithPrefix("ARCHIVE_").AddSettings(partSettings{Table: "u"})
	})
	want(t, only(t, stack, "AWS::Lambda::Function", ""),
		map[string]string{"TABLE": "t", "ARCHIVE_TABLE": "u"}, "Environment", "Variables")
}

func TestVariablesAboveTheLimitOfLambdaFailTheSynth(t *testing.T) {
	message := failure(t, false, func(stack awscdk.Stack) {
		gofunction.New(stack, "Mail", gofunction.Props{
			Package: "example.com/mail",
			Settings: functionSettings{
				Sender: strings.Repeat("a", 4096), Own: partSettings{Table: "t"},
			},
		})
	})
	want := "[Stack/Mail] gofunction: Settings: 4108 bytes of variables, want at most 4096; pass " +
		"long values as Props.Files"
	if !strings.Contains(message, want) {
		t.Errorf("failed with %q, want it to say %q", message, want)
	}
}

func TestFilesAreBesideTheExecutable(t *testing.T) {
	files := fstest.MapFS{"texts/en.txt": {Data: []byte("hello")}}
	outdir := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(outdir)})
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	const path = "github.com/ashlar-cdk/ashlar/lambdatest/testdata/function"
	for _, id := range []string{"One", "Two"} {
		gofunction.New(stack, id, gofunction.Props{Package: path, Files: files})
	}
	gofunction.New(stack, "Other", gofunction.Props{Package: path})
	app.Synth(nil)
	assets, err := filepath.Glob(filepath.Join(outdir, "asset.*", "bootstrap"))
	if err != nil || len(assets) != 2 {
		t.Fatalf("assets %v, %v, want one with the files and one without", assets, err)
	}
	found, err := filepath.Glob(filepath.Join(outdir, "asset.*", "files", "texts", "en.txt"))
	if err != nil || len(found) != 1 {
		t.Errorf("the text is %v, %v, want it in one asset", found, err)
	}
}
