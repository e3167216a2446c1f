package environments

// ParameterPath is where the endpoints and ids of the environment of that name are in Parameter Store: /ashlar/Prod.
// Each is a parameter below it, such as /ashlar/Prod/UserPoolId. The names are a contract with clients and other
// services.
func ParameterPath(environment string) string {
	return "/ashlar/" + environment
}

// DeadLetterQueuesPath is where the addresses of the environment's dead-letter queues are in Parameter Store, each by the name
// that make redrive knows the queue by: /ashlar/Prod/dead-letter-queues/Welcomes.
func DeadLetterQueuesPath(environment string) string {
	return ParameterPath(environment) + "/dead-letter-queues"
}
