package gofunction

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/defaults"
	"github.com/ashlar-cdk/ashlar/constructs/internal/convert"
	"github.com/ashlar-cdk/ashlar/constructs/internal/gobuild"
	"github.com/ashlar-cdk/ashlar/constructs/internal/loggroup"
	"github.com/ashlar-cdk/ashlar/constructs/internal/node"
	"github.com/ashlar-cdk/ashlar/constructs/internal/vpc"
	"github.com/ashlar-cdk/ashlar/internal/check"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
)

// PackageMetadata is the key of a function's metadata in the template that holds Props.Package. The
// asset's hash alone does not identify the code of a function.
const PackageMetadata = "ashlar:package"

// Props describes a function. Zero values take the stated default.
type Props struct {
	// Package is the import path of the function's package main, in the app's module or in any
	// module that the app's go.mod requires. Required.
	Package string
	// Settings is the struct that the function loads with lambdaenv; strings may be tokens. Grants
	// such as the database's GrantConnect fill fields that are zero; a required setting that stays
	// zero fails the synth. Default: the function has no settings.
	Settings any

	// Files are delivered beside the executable; the function reads them with lambdaenv.Files. They
	// are for content that the app passes to the function: texts, queries, migrations. Default:
	// none.
	Files fs.FS

	Description  string                 // default: none
	Architecture awslambda.Architecture // default: arm64
	MemoryMiB    int                    // the CPU share is proportional; default: 512
	Timeout      time.Duration          // at most 15 min; default: 10 s

	// VPC is the network of the function. It needs NAT or VPC endpoints for the AWS services that
	// the function calls. Default: none, the function reaches the internet.
	VPC            awsec2.IVpc
	VPCSubnets     *awsec2.SubnetSelection // default: the VPC's private subnets with egress
	SecurityGroups []awsec2.ISecurityGroup // default: one of its own that allows TLS only

	ReservedConcurrency int           // default: none reserved, none denied
	DeadLetterQueue     awssqs.IQueue // of asynchronous invocations; default: none
	LogRetention        time.Duration // default: the scope's (package defaults)
	DisableTracing      bool          // no X-Ray segments
	Disposable          bool          // delete the logs with the stack
}

// A Function is a Lambda function with its log group and, in a VPC, its security group.
//
// It is an [awsiam.IGrantable] and an [awsec2.IConnectable]: bucket.GrantRead(fn, nil) and
// cluster.Connections().AllowFrom(fn, port, nil) work with every construct of the CDK. Constructs
// that take an awslambda.IFunction get the field Function.
type Function struct {
	Construct constructs.Construct // the node in the construct tree: dependencies, tags, aspects
	Function  awslambda.Function
	Role      awsiam.Role
	LogGroup  awslogs.LogGroup

	vpc       awsec2.IVpc
	settings  any
	variables map[string]string
	buildErr  error
}

// New declares a function under scope. A package that does not compile fails the synth with the
// compiler's message, and so does a required setting that is still zero at the end of the synth.
//
// The package is not built where the CDK requires no bundling: in cdk list and cdk destroy, and in
// an app whose context sets aws:cdk:bundling-stacks to an empty list, as tests do.
func New(scope constructs.Construct, id string, props Props) *Function {
	props = props.withDefaults()
	props.check(id)
	variables, err := lambdaenv.Encode(props.Settings)
	if err != nil {
		panic(fmt.Errorf("gofunction: %s: %w", id, err))
	}

	construct := node.New(scope, id)
	defaults.Override(construct, props.LogRetention, props.Disposable)
	f := &Function{
		Construct: construct,
		vpc:       props.VPC,
		settings:  props.Settings,
		variables: variables,
	}
	f.LogGroup = loggroup.New(construct, "Logs", "")
	f.Role = newRole(construct, f.LogGroup, props.VPC != nil)

	functionProps := &awslambda.FunctionProps{
		Code:            f.code(construct, props),
		Handler:         jsii.String("bootstrap"),
		Runtime:         awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:    props.Architecture,
		MemorySize:      jsii.Number(props.MemoryMiB),
		Timeout:         convert.Duration(props.Timeout),
		Role:            f.Role,
		LogGroup:        f.LogGroup,
		LoggingFormat:   awslambda.LoggingFormat_JSON,
		DeadLetterQueue: props.DeadLetterQueue,
		Tracing:         awslambda.Tracing_ACTIVE,
		Environment:     &map[string]*string{},
	}
	if props.Description != "" {
		functionProps.Description = jsii.String(props.Description)
	}
	if props.DisableTracing {
		functionProps.Tracing = awslambda.Tracing_DISABLED
	}
	if props.ReservedConcurrency > 0 {
		functionProps.ReservedConcurrentExecutions = jsii.Number(props.ReservedConcurrency)
	}
	if props.VPC != nil {
		if len(props.SecurityGroups) == 0 {
			props.SecurityGroups = []awsec2.ISecurityGroup{newSecurityGroup(construct, props.VPC)}
		}
		functionProps.Vpc = props.VPC
		functionProps.VpcSubnets = props.VPCSubnets
		functionProps.SecurityGroups = &props.SecurityGroups
	}
	f.Function = awslambda.NewFunction(construct, jsii.String("Function"), functionProps)
	f.Function.Node().DefaultChild().(awscdk.CfnResource).AddMetadata(jsii.String(PackageMetadata),
		props.Package)
	f.setVariables(variables)
	construct.Node().AddValidation(&settingsCheck{f})
	return f
}

// Path returns the function's path in the construct tree, for messages: Dev/API/Profile.
func (f *Function) Path() string { return *f.Construct.Node().Path() }

// VPC returns Props.VPC.
func (f *Function) VPC() awsec2.IVpc { return f.vpc }

// GrantPrincipal makes the function an [awsiam.IGrantable].
func (f *Function) GrantPrincipal() awsiam.IPrincipal { return f.Function.GrantPrincipal() }

// Connections makes the function an [awsec2.IConnectable]. It panics outside a VPC.
func (f *Function) Connections() awsec2.Connections {
	check.Call("gofunction", f.Path(), "Connections",
		check.Required("VPC", f.vpc != nil, "pass it in Props: only then are there connections"))
	return f.Function.Connections()
}

// AddSettings fills fields of the function's settings that are zero, such as the database's.
// Settings that the function does not have fail the synth. It panics when a field already has
// another value: a function has one database, for example.
func (f *Function) AddSettings(settings any) { f.addSettings("", settings) }

func (f *Function) addSettings(prefix string, settings any) {
	unprefixed, err := lambdaenv.Encode(settings)
	problems := []error{err}
	variables := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(unprefixed)) {
		value := unprefixed[name]
		name = prefix + name
		if set, ok := f.variables[name]; ok && set != value {
			problems = append(problems, fmt.Errorf("%s is already %q and cannot become %q; use "+
				"WithPrefix for a second one", name, set, value))
		}
		variables[name] = value
	}
	check.Call("gofunction", f.Path(), "AddSettings", problems...)
	maps.Copy(f.variables, variables)
	f.setVariables(variables)
}

// WithPrefix returns the function as a grantee whose settings have variables with a prefix: for a
// function with two databases, topics or queues. Its settings have the struct with the same prefix:
//
//	Archive mysqlconn.Settings `envPrefix:"ARCHIVE_"`
//
//	archive.GrantConnect(fn.WithPrefix("ARCHIVE_"))
func (f *Function) WithPrefix(prefix string) *Prefixed {
	return &Prefixed{function: f, prefix: prefix}
}

// A Prefixed is a function whose settings are filled with a prefix.
type Prefixed struct {
	function *Function // not embedded: jsii rejects an object within another
	prefix   string
}

// AddSettings is [Function.AddSettings] with the prefix.
func (p *Prefixed) AddSettings(settings any) { p.function.addSettings(p.prefix, settings) }

// Path is [Function.Path].
func (p *Prefixed) Path() string { return p.function.Path() }

// VPC is [Function.VPC].
func (p *Prefixed) VPC() awsec2.IVpc { return p.function.VPC() }

// GrantPrincipal is [Function.GrantPrincipal].
func (p *Prefixed) GrantPrincipal() awsiam.IPrincipal { return p.function.GrantPrincipal() }

// Connections is [Function.Connections].
func (p *Prefixed) Connections() awsec2.Connections { return p.function.Connections() }

// AddToRolePolicy lets the function call actions on resources, which are ARNs.
func (f *Function) AddToRolePolicy(actions []string, resources ...string) {
	check.Call("gofunction", f.Path(), "AddToRolePolicy",
		check.Required("actions", len(actions) > 0, "pass actions such as s3:GetObject"),
		check.Required("resources", len(resources) > 0, "pass their ARNs"))
	f.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: jsii.Strings(resources...),
	}))
}

func (f *Function) setVariables(variables map[string]string) {
	// The template keeps the order of the calls.
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		f.Function.AddEnvironment(jsii.String(name), jsii.String(variables[name]), nil)
	}
}

// code returns the built package with its files, or a placeholder where the CDK requires no
// bundling or the build failed.
func (f *Function) code(scope constructs.Construct, props Props) awslambda.Code {
	root := filepath.Join(*awscdk.Stage_Of(scope).AssetOutdir(), ".gofunction")
	if *awscdk.Stack_Of(scope).BundlingRequired() {
		var dir string
		dir, f.buildErr = gobuild.Build(root, props.Package, goArch(props.Architecture))
		if f.buildErr == nil && props.Files != nil {
			dir, f.buildErr = addFiles(root, dir, props.Files)
		}
		if f.buildErr == nil {
			return awslambda.Code_FromAsset(jsii.String(dir), nil)
		}
	}
	dir := filepath.Join(root, "not-built")
	placeholder := filepath.Join(dir, "bootstrap")
	err := errors.Join(os.MkdirAll(dir, 0o750),
		os.WriteFile(placeholder, []byte("not built\n"), 0o600))
	if err != nil {
		panic(fmt.Errorf("gofunction: %w", err))
	}
	return awslambda.Code_FromAsset(jsii.String(dir), nil)
}

// addFiles returns a folder below root with the executable of dir and the files. Functions with the
// same executable and the same files share it. Its name depends on the content of both: an earlier
// synth into the same folder may have left one with the executable of that time.
func addFiles(root, dir string, files fs.FS) (string, error) {
	hash := sha256.New()
	executable, err := os.ReadFile(filepath.Join(dir, "bootstrap")) //nolint:gosec // just built
	if err != nil {
		return "", fmt.Errorf("gofunction: %w", err)
	}
	hash.Write(executable)
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		fmt.Fprintf(hash, "%q %q\n", path, content)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("gofunction: Files: %w", err)
	}
	with := filepath.Join(root, hex.EncodeToString(hash.Sum(nil)[:8]))
	if _, err := os.Stat(with); err == nil {
		return with, nil
	}
	// Complete or absent: another run of the app may have been interrupted.
	temporary := with + ".new"
	err = errors.Join(
		os.RemoveAll(temporary),
		os.CopyFS(temporary, os.DirFS(dir)),
		os.CopyFS(filepath.Join(temporary, lambdaenv.FilesFolder), files),
	)
	if err != nil {
		return "", fmt.Errorf("gofunction: Files: %w", err)
	}
	return with, os.Rename(temporary, with)
}

// maxVariables is the size of all variables in bytes: "Lambda quotas" in the AWS Lambda Developer
// Guide.
const maxVariables = 4096

// settingsCheck is a validation that the CDK runs at the end of the synth, when all grants have
// been made.
type settingsCheck struct{ function *Function }

// Validate returns the function's problems, in the form that the CDK requires.
func (c *settingsCheck) Validate() *[]*string {
	problems := []*string{}
	if err := c.function.buildErr; err != nil {
		problems = append(problems, jsii.Sprintf("gofunction: %v", err))
	}
	variables, err := c.function.environment()
	err = errors.Join(err, lambdaenv.Check(c.function.settings, variables))
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			problems = append(problems, jsii.String("gofunction: "+line))
		}
	}
	return &problems
}

// environment returns the function's settings as its template has them. AddEnvironment of the L2
// construct may have filled one; the error says that it has replaced one. Other variables that it
// has added are not settings: those of an extension or a tracing library, for example.
func (f *Function) environment() (map[string]string, error) {
	stack := awscdk.Stack_Of(f.Construct)
	resource := f.Function.Node().DefaultChild().(awslambda.CfnFunction)
	resolved, _ := stack.Resolve(resource.Environment()).(map[string]any)
	added, _ := resolved["variables"].(map[string]any)
	variables := maps.Clone(f.variables)
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(added)) {
		value, isSetting := f.variables[name]
		switch {
		case isSetting && !reflect.DeepEqual(added[name], stack.Resolve(value)):
			problems = append(problems,
				fmt.Errorf("%s: AddEnvironment replaces the setting's value; "+
					"pass it in Props.Settings or with AddSettings", name))
		case !isSetting && lambdaenv.Reads(f.settings, name):
			text, isText := added[name].(string)
			if !isText {
				text = "${Token[" + name + "]}" // a value that is not known at synthesis
			}
			variables[name] = text
		}
	}
	size := 0
	for name, value := range f.variables {
		if !*awscdk.Token_IsUnresolved(value) {
			size += len(name) + len(value)
		}
	}
	if size > maxVariables {
		problems = append(problems, &check.Problem{
			Prop: "Settings", Got: fmt.Sprintf("%d bytes of variables", size),
			Want: fmt.Sprintf("at most %d; pass long values as Props.Files", maxVariables),
		})
	}
	return variables, errors.Join(problems...)
}

func newRole(scope constructs.Construct, logs awslogs.LogGroup, inVPC bool) awsiam.Role {
	role := awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	logs.GrantWrite(role)
	if !inVPC {
		return role
	}
	// Lambda creates the function's network interfaces with the function's role. The resources do
	// not exist beforehand, so the actions are allowed on all; the function's own code is denied
	// them. Both statements are AWS's recommendation: "Giving Lambda functions access to resources
	// in an Amazon VPC" in the Lambda Developer Guide.
	actions := jsii.Strings("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces",
		"ec2:DescribeSubnets",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses",
		"ec2:UnassignPrivateIpAddresses")
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("ServiceManagesNetworkInterfaces"), Actions: actions,
		Resources: jsii.Strings("*"),
	}))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("DenyFunctionCode"), Effect: awsiam.Effect_DENY, Actions: actions,
		Resources: jsii.Strings("*"),
		Conditions: &map[string]any{"ArnLike": map[string]any{
			"lambda:SourceFunctionArn": awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("lambda"), Resource: jsii.String("function"),
				ResourceName: jsii.String("*"),
				ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
			}),
		}},
	}))
	return role
}

// newSecurityGroup lets the function call AWS over TLS, through NAT or VPC endpoints, and nothing
// else. Grants open other network paths.
func newSecurityGroup(scope constructs.Construct, vpc awsec2.IVpc) awsec2.SecurityGroup {
	group := awsec2.NewSecurityGroup(scope, jsii.String("SecurityGroup"),
		&awsec2.SecurityGroupProps{
			Vpc:              vpc,
			Description:      jsii.String("Network access of the Lambda function"),
			AllowAllOutbound: jsii.Bool(false),
		})
	https := awsec2.Port_Tcp(jsii.Number(443))
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), https, jsii.String("AWS services over TLS"), nil)
	return group
}

func goArch(architecture awslambda.Architecture) string {
	if *architecture.Name() == *awslambda.Architecture_X86_64().Name() {
		return "amd64"
	}
	return "arm64"
}

func (p Props) withDefaults() Props {
	if p.Settings == nil {
		p.Settings = struct{}{}
	}
	if p.Architecture == nil {
		p.Architecture = awslambda.Architecture_ARM_64()
	}
	if p.MemoryMiB == 0 {
		p.MemoryMiB = 512
	}
	if p.Timeout == 0 {
		p.Timeout = 10 * time.Second
	}
	if p.VPC != nil && p.VPCSubnets == nil {
		p.VPCSubnets = &awsec2.SubnetSelection{
			SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS,
		}
	}
	return p
}

// The limits are the service's: "Lambda quotas" in the Lambda Developer Guide.
func (p Props) check(id string) {
	check.Props("gofunction", id,
		check.Required("Package", p.Package != "",
			"pass the import path of the function's package main"),
		// "Lambda quotas" in the AWS Lambda Developer Guide.
		check.Range("MemoryMiB", p.MemoryMiB, 128, 10240),
		check.Duration("Timeout", p.Timeout, time.Second, 15*time.Minute, time.Second),
		check.That("ReservedConcurrency", p.ReservedConcurrency, p.ReservedConcurrency >= 0,
			"0 for no reservation, or more"),
		check.That("VPCSubnets", "set", p.VPC != nil || p.VPCSubnets == nil, "none without a VPC"),
		vpc.Subnets("VPCSubnets", p.VPC, p.VPCSubnets, 1),
		check.That("SecurityGroups", "set", p.VPC != nil || p.SecurityGroups == nil,
			"none without a VPC"),
		vpc.SecurityGroups("SecurityGroups", p.SecurityGroups),
	)
}
