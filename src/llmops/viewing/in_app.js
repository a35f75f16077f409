// A link of ours turns the page within the running app, as the browser's own buttons do: the address goes into the
// history and `popstate` is told, to which Streamlit listens. A new tab, a download, and a page whose server has gone
// are left to the browser, and so is everything when this script is missing: links stay links.
addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const path = event.composedPath();
  const link = path.find((each) => each instanceof HTMLAnchorElement);
  if (!link || !path.some((each) => each.dataset?.testid === "stMain")) return;
  if (!["", "_self"].includes(link.target) || link.hasAttribute("download") || link.hash) return;
  const base = new URL(`${__streamlit.BACKEND_BASE_URL}/`);
  if (link.origin !== base.origin || !link.pathname.startsWith(base.pathname)) return;
  if (!document.querySelector('[data-testid="stApp"][data-test-connection-state="CONNECTED"]')) return;
  event.preventDefault();
  // What a link does not narrow to a tenant is about all of them; the window and the rest go along (`address.py`).
  const to = new URL(link.href);
  if (new URL(location).searchParams.has("tenant") && !to.searchParams.has("tenant")) to.searchParams.set("tenant", "");
  if (to.href !== location.href) history.pushState(null, "", to.href);
  dispatchEvent(new PopStateEvent("popstate"));
  document.querySelector('[data-testid="stMain"]').scrollTo(0, 0);
});
