// The console in a browser: node console.mjs ADDRESS STATE, where STATE is empty, drill, well or broken.
//
// `drill` is what a stranger does by keyboard alone: a stage breaks, the page says so first, they look at a dead letter, the cause is
// repaired, they replay with a canary and close the browser; somebody else sees the same operation end.
// Every page, light and dark, wide and narrow: no violation of axe's rules, nothing asked of anybody else, no sideways scroll.
// In the state `well` also: without JavaScript, by keyboard alone, with news, and paused. At the end the console is
// frozen while its page is open, which the page says.
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [address, state] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'];
const WIDTHS = [1280, 390];
const DEADLINE = 20_000;

const failures = [];
const check = (holds, words) => { if (!holds) failures.push(`${state}: ${words}`); };
const token = process.env.CONSOLE_TOKEN;
const authorization = 'Basic ' + Buffer.from(':' + token).toString('base64');
const json = async (path) => (await fetch(address + path, { headers: { authorization } })).json();

/** A context of somebody who has signed in, by keyboard. */
async function signedIn(browser, name, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  await page.goto(address + '/operations');
  check(page.url() === address + '/login?next=%2Foperations', `who has not signed in is asked to: ${page.url()}`);
  await tabTo(page, 'input[name=name]');
  await page.keyboard.type(name);
  await tabTo(page, 'input[name=token]');
  await page.keyboard.type(token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Operations' }).waitFor();
  await page.close();
  return context;
}

/** Presses Tab until what is wanted has the focus. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 200; presses += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
  }
  throw new Error(`${page.url()}: no Tab leads to ${selector}`);
}

/** The pages that there are in this state. */
async function pages() {
  const found = ['/', '/pulls', '/dead-letters', '/data', '/workers', '/operations', '/events', '/trace', '/login'];
  found.push('/order/pause?stage=finalizer', '/nothing-is-here');
  const pull = (await json('/pulls.json')).pulls[0];
  if (pull) found.push(`/pulls/${pull.pull_id}`, `/pulls/${pull.pull_id}/chunks/1`);
  const group = (await json('/dead-letters.json')).groups[0];
  if (group) found.push(`/dead-letters/groups/${group.fingerprint}`, `/dead-letters/${group.sample}`, '/order/replay?all=yes', '/order/hold?all=yes', '/order/discard?all=yes');
  const operation = (await json('/operations.json')).operations[0];
  if (operation) found.push(`/operations/${operation.id}`);
  const stream = pull && (await json(`/pulls/${pull.pull_id}/chunks/1.json`)).streams?.[0];
  if (stream) found.push(`/trace?stream=${stream.stream_id}&pull=${pull.pull_id}`, `/trace?pull=${pull.pull_id}`);
  return found;
}

/** Each page with axe, in each colour and width. */
async function look(browser) {
  // Its own policy lets no foreign script in, and axe is one.
  const context = await signedIn(browser, 'ada', { bypassCSP: true });
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  page.on('pageerror', (error) => check(false, `the script fails: ${error}`));
  let looks = 0;
  for (const path of await pages()) {
    const asked = [];
    const note = (request) => asked.push(request.url());
    page.on('request', note);
    await page.goto(address + path);
    page.off('request', note);
    const foreign = asked.filter((url) => !url.startsWith(address + '/') && !url.startsWith('data:'));
    check(foreign.length === 0, `${path} asks for ${foreign}`);
    check(asked.length <= 5, `${path} makes ${asked.length} requests`);
    const pause = page.locator('#pause:visible');
    if ((await pause.count()) > 0) await pause.click();
    await page.addScriptTag({ path: axe });
    for (const colorScheme of ['light', 'dark']) {
      for (const width of WIDTHS) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 900 });
        if (process.env.SCREENSHOTS) {
          const name = path.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '') || 'flow';
          await page.screenshot({ path: `${process.env.SCREENSHOTS}/${state}-${name}-${colorScheme}-${width}.png` });
        }
        const { violations } = await page.evaluate((tags) => axe.run({ runOnly: tags }), TAGS);
        looks += 1;
        for (const { id, nodes } of violations) {
          check(false, `${path} ${colorScheme} ${width}: ${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
        }
      }
    }
    await page.setViewportSize({ width: 320, height: 900 });
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(sideways <= 0, `${path} is ${sideways} px too wide for 320 px`);
  }
  await context.close();
  return looks;
}

/** Without JavaScript: reading, filtering, searching. */
async function withoutScript(browser) {
  const context = await signedIn(browser, 'ada', { javaScriptEnabled: false });
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  await page.goto(address + '/');
  check((await page.locator('#live').innerText()) === 'Reload the page for news.', 'it promises no news without a script');
  await page.getByRole('link', { name: 'Pulls', exact: true }).click();
  await page.getByRole('link', { name: 'success', exact: true }).click();
  check(page.url() === address + '/pulls?status=success', `the filter is in the address: ${page.url()}`);
  await page.locator('#q').fill('1/1');
  await page.getByRole('button', { name: 'Go' }).click();
  check((await page.locator('h1').innerText()) === 'Pull 1, chunk 1', 'the search leads to a chunk');
  await page.goto(address + '/order/pause?stage=finalizer');
  await page.getByLabel('Why').fill('a look');
  await page.getByRole('button', { name: 'Pause the finalizer' }).click();
  check(/\/operations\/\d+$/.test(page.url()), `an order leads to its operation: ${page.url()}`);
  await page.goto(address + '/order/resume?stage=finalizer');
  await page.getByRole('button', { name: 'Resume the finalizer' }).click();
  await context.close();
}

/** By keyboard alone, and with news. */
async function byKeyboard(browser) {
  const context = await signedIn(browser, 'ada');
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  await page.goto(address + '/');
  const heading = (words) => page.getByRole('heading', { level: 1, name: words }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await heading('Pulls');
  await page.keyboard.press('/');
  await page.keyboard.type('1');
  await page.keyboard.press('Enter');
  await heading('Pull 1');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  check(await page.locator('#keys').evaluate((details) => details.open), '? opens the list of keys');

  // News replace elements, and the focus stays.
  await page.goto(address + '/');
  const link = page.locator('#chain tbody a').first();
  await link.focus();
  const before = await page.locator('#asof time').getAttribute('datetime');
  await page.waitForFunction((time) => document.querySelector('#asof time').dateTime !== time, before);
  await page.waitForFunction((time) => document.querySelector('#asof time').dateTime > time, await page.locator('#asof time').getAttribute('datetime'));
  check(await page.evaluate(() => document.activeElement.closest('#chain') !== null), 'the focus stays through news');
  check((await page.locator('#live').innerText()) === 'Live.', 'it says that it is live');

  // Paused means that nothing is asked for.
  await page.locator('#pause').focus();
  await page.keyboard.press('Enter');
  let asked = 0;
  page.on('request', () => { asked += 1; });
  await page.waitForFunction(() => document.getElementById('live').textContent.startsWith('Paused since '));
  const frozen = await page.locator('#asof time').getAttribute('datetime');
  await page.waitForTimeout(4_000);
  check(asked === 0, `paused, and still ${asked} requests`);
  check(frozen === (await page.locator('#asof time').getAttribute('datetime')), 'paused, and still news');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.getElementById('live').textContent === 'Live.');
  await context.close();
}

/** A page whose console says nothing any more; `frozen` freezes and thaws it. */
async function silent(browser) {
  const frozen = (signal) => process.kill(Number(process.env.CONSOLE_PID), signal);
  const context = await signedIn(browser, 'ada');
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  await page.goto(address + '/');
  await page.waitForFunction(() => document.getElementById('live').textContent === 'Live.');
  frozen('SIGSTOP');
  try {
    await page.waitForFunction(() => document.getElementById('live').textContent.startsWith('Stale: no news for '));
  } finally {
    frozen('SIGCONT');
  }
  await page.waitForFunction(() => document.getElementById('live').textContent === 'Live.');
}

/** A stranger repairs a stage, by keyboard alone; another one sees how that ends. */
async function drill(browser) {
  const ada = await signedIn(browser, 'ada');
  const page = await ada.newPage();
  page.setDefaultTimeout(DEADLINE);
  const heading = (words) => page.getByRole('heading', { level: 1, name: words }).waitFor();
  await page.goto(address + '/');
  const attention = await page.locator('main section').first().innerText();
  check(attention.startsWith('Needs attention') && attention.includes('channel-enricher'), `said first: ${attention}`);
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await heading(/^Dead letters$/);
  await tabTo(page, '#groups a[href^="/dead-letters/groups/"]');
  await page.keyboard.press('Enter');
  await heading(/^Group /);
  await tabTo(page, '#cause a[href^="/dead-letters/"]');
  await page.keyboard.press('Enter');
  await heading(/^Dead letter \d+$/);
  const why = await page.locator('#why').innerText();
  check(why.includes('Twitch'), `a dead letter says why: ${why}`);
  await fetch(process.env.FAKE_TWITCH + '/world/faults', { method: 'POST', body: '' });
  await tabTo(page, '#why a[href^="/dead-letters/groups/"]');
  await page.keyboard.press('Enter');
  await heading(/^Group /);
  await tabTo(page, 'a[href^="/order/replay"]');
  await page.keyboard.press('Enter');
  await heading('Replay dead letters');
  check(await page.locator('input[name=canary]').isChecked(), 'a replay is careful unless somebody wants it otherwise');
  await tabTo(page, 'input[name=rate]');
  await page.keyboard.type('4');
  await tabTo(page, 'form[method=post] button');
  await page.keyboard.press('Enter');
  await heading(/^Operation \d+$/);
  const operation = page.url();
  await page.locator('#steps').getByText(' sent: ').first().waitFor();
  check((await page.locator('#operation').innerText()).includes('is under way'), 'the browser is closed in the middle');
  await ada.close();

  const bela = await signedIn(browser, 'bela');
  const other = await bela.newPage();
  other.setDefaultTimeout(DEADLINE);
  await other.goto(address + '/');
  await other.keyboard.press('g');
  await other.keyboard.press('o');
  await other.getByRole('heading', { level: 1, name: 'Operations' }).waitFor();
  await tabTo(other, '#operations a[href^="/operations/"]');
  await other.keyboard.press('Enter');
  await other.getByText(/^✓ Operation \d+ \(replay\) is done/).waitFor();
  check(other.url() === operation, `it is the same: ${other.url()}`);
  const words = await other.locator('#operation').innerText();
  check(words.includes('ada, from the console') && words.includes('dead-letters replay --group'), words);
  await bela.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  if (state === 'drill') await drill(browser);
  const looks = state === 'drill' ? 0 : await look(browser);
  if (state === 'well') {
    await withoutScript(browser);
    await byKeyboard(browser);
    await silent(browser);
  }
  console.log(`${state}: ${looks} looks, ${failures.length} failures`);
} finally {
  await browser.close();
}
failures.forEach((failure) => console.error(failure));
process.exit(failures.length === 0 ? 0 : 1);
