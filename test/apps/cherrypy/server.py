import cherrypy


class Root:
    @cherrypy.expose
    def index(self):
        return "a pie\n"


application = cherrypy.tree.mount(Root(), "/")

if __name__ == "__main__":
    cherrypy.quickstart(Root())
