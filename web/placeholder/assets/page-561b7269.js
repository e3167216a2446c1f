// An address that is not the home page's was given by somebody: say that it was understood.
if (location.pathname !== '/') {
  document.getElementById('path').textContent = location.pathname;
  document.getElementById('address').hidden = false;
}
