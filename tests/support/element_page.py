"""A page with one `<gimg-image>`, and scripts that look at it."""

# To format with the picture's address and its style. `told` lists the events with their messages.
WATCH = """
<script>
  var told = [];
  for (const type of ['load', 'error']) {{
    document.addEventListener(type, (event) => {{
      if (event.target.localName === 'gimg-image') told.push([type, event.message ?? '']);
    }}, true);
  }}
</script>
<script type="module" src="/gimg/element.js"></script>
<gimg-image src="{}" alt="A picture" style="{}"></gimg-image>
"""
# Returns the pixels that the element shows, RGBA in Base64.
READ = """
const canvas = document.querySelector('gimg-image').shadowRoot.querySelector('canvas');
const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
return btoa(Array.from(data, (b) => String.fromCharCode(b)).join(''));
"""
