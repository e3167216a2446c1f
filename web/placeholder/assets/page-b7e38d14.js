// Show the requested path, unless it is the home page's.
if (location.pathname !== '/') {
  document.getElementById('path').textContent = location.pathname;
  document.getElementById('requested').hidden = false;
}
