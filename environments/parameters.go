package environments

// ParameterPath returns the path in Parameter Store of an environment's endpoints and ids:
// /ashlar/Prod. Each is a parameter below it, such as /ashlar/Prod/UserPoolId. The names are a
// contract with clients and other services.
func ParameterPath(environment string) string {
	return "/ashlar/" + environment
}

// DeadLetterQueuesPath returns the path in Parameter Store of the URLs of an environment's
// dead-letter queues, each under the name that make redrive uses:
// /ashlar/Prod/dead-letter-queues/Welcome.
func DeadLetterQueuesPath(environment string) string {
	return ParameterPath(environment) + "/dead-letter-queues"
}
