"""Where videos come from: web servers, YouTube, archives, folders that the user has."""
