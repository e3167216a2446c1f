// Runs in CloudFront before the cache lookup. URLs of a single-page app are no files: they all show
// its one page. A path with an extension is a file, and so is every path below /assets/ and
// /.well-known/: if it is missing, the response is 404. An encoded dot (%2E) does not make an
// extension, so an app's URL may end in one.
function handler(event) {
	const request = event.request;
	const last = request.uri.slice(request.uri.lastIndexOf('/') + 1);
	const isFile = last.includes('.') || request.uri.startsWith('/assets/') ||
		request.uri.startsWith('/.well-known/');
	if (!isFile) {
		request.uri = '/index.html';
	}
	return request;
}
