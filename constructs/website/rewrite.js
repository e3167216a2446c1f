// Runs in CloudFront before its cache is asked. The addresses of a single-page app are no files: they all show its one
// page. What has an extension is a file, and so is all below /assets/ and /.well-known/: where it is missing, the answer is
// 404. A dot that is encoded, as %2E, makes no extension: so may an app's address end in one.
function handler(event) {
	const request = event.request;
	const last = request.uri.slice(request.uri.lastIndexOf('/') + 1);
	if (!last.includes('.') && !request.uri.startsWith('/assets/') && !request.uri.startsWith('/.well-known/')) {
		request.uri = '/index.html';
	}
	return request;
}
